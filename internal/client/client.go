package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultURL is where a daemon listens unless it is told otherwise.
const DefaultURL = "http://127.0.0.1:8474"

const (
	// patience is how long the daemon may take for an answer that needs no waiting.
	patience = 10 * time.Second
	// maxBody bounds an answer: 1,000 writers with long names, many streams.
	maxBody = 256 << 20
)

// Client asks one daemon. Its methods may be called from any goroutine.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// New returns a client for the daemon at base, an http or https URL. The
// token, where there is one, is sent as a bearer token.
func New(base, token string) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the daemon's address is not a URL such as %s", DefaultURL)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("the daemon's address has more than scheme, host and path: write it as in %s", DefaultURL)
	}
	return &Client{
		base: strings.TrimSuffix(u.String(), "/"), token: token,
		// A redirect is an answer like another: nobody but the daemon gets the token.
		http: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// UnreachableError is returned where no daemon answers.
type UnreachableError struct {
	// URL that was asked.
	URL string
	// Err is why it did not answer.
	Err error
}

// Error says what to do.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("no daemon answers at %s (%v): start one with tidemark run -c FILE, or name its address with --url", e.URL, e.Err)
}

// Unwrap returns why it did not answer.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Problem is an error answer of the daemon (RFC 9457).
type Problem struct {
	// Status is the HTTP status, Detail one sentence.
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// Error is the daemon's sentence and, where there is something to do, that.
func (p *Problem) Error() string {
	switch p.Status {
	case http.StatusUnauthorized:
		return p.Detail + ": name a file that holds it with --token-file, or set TIDEMARK_TOKEN"
	case http.StatusNotFound:
		return p.Detail + ": look at the daemon's address, --url, and at the names that tidemark status shows"
	case http.StatusConflict:
		return p.Detail + ": load afresh, and wait in the new epoch"
	}
	return fmt.Sprintf("%s (HTTP status %d)", p.Detail, p.Status)
}

// get asks for a path below the base. The caller closes the body.
func (c *Client) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer drop(res)
	return nil, c.problem(res)
}

// unreachable leaves alone an end that the caller wanted.
func (c *Client) unreachable(ctx context.Context, err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err // it repeats the whole URL
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, context.Canceled):
		return cause
	case errors.Is(cause, errSilent):
		err = errSilent
	case errors.Is(err, context.DeadlineExceeded):
		err = errors.New("it does not answer")
	}
	return &UnreachableError{URL: c.base, Err: err}
}

// problem reads an error answer; one that is not the daemon's is told by its status.
func (c *Client) problem(res *http.Response) error {
	p := &Problem{}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")) // "" for what is no type
	if kind != "application/problem+json" {
		return fmt.Errorf("what answers at %s is no daemon of Tidemark (HTTP status %s): name the daemon's address with --url", c.base, res.Status)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxBody)).Decode(p); err != nil {
		return fmt.Errorf("read the answer of %s: %w", c.base, err)
	}
	p.Status = res.StatusCode
	return p
}

// body reads a whole answer that must be JSON.
func (c *Client) body(ctx context.Context, path string, within time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	res, err := c.get(ctx, path)
	if err != nil {
		return nil, err
	}
	defer drop(res)
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if !json.Valid(body) {
		return nil, fmt.Errorf("what answers at %s is no daemon of Tidemark: name the daemon's address with --url", c.base)
	}
	return bytes.TrimSpace(body), nil
}

// drop ends an answer that has been read as far as it matters.
func drop(res *http.Response) { _ = res.Body.Close() }

package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// patience is how long a daemon may take to begin an answer.
	patience = 10 * time.Second
	// maxBody bounds an answer, maxProblem one that is an error.
	maxBody    = 32 << 20
	maxProblem = 64 << 10
	// maxQuery is how long a list of streams may be in a URL; a longer one is
	// left out, and what the daemon tells of other streams is not looked at.
	maxQuery = 7 << 10
)

// asker makes the requests, with the token, and lets no error show it.
type asker struct {
	client *http.Client
	token  string
	// release closes idle connections, where the client is ours.
	release func()
}

func newAsker(cfg Config) *asker {
	a := &asker{client: &http.Client{}, token: cfg.Token, release: func() {}}
	if cfg.HTTPClient != nil {
		*a.client = *cfg.HTTPClient
	} else {
		t := newTransport(cfg)
		a.client.Transport, a.release = t, t.CloseIdleConnections
	}
	a.client.Timeout = 0 // events have no end
	// A redirect is an answer like another: nobody but the daemon gets the token.
	a.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return a
}

func newTransport(cfg Config) *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: patience}).DialContext,
		TLSClientConfig:       cfg.TLS,
		TLSHandshakeTimeout:   patience,
		ResponseHeaderTimeout: patience,
		ForceAttemptHTTP2:     true, // for a proxy in front of the daemon
		DisableCompression:    true, // it would hold events back
		IdleConnTimeout:       time.Minute,
	}
}

// get asks; an answer other than 200 of that type is an error. The caller
// closes the body.
func (a *asker) get(ctx context.Context, base, path, kind, lastID string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
	if err != nil {
		return nil, errors.New("make request: the URL cannot be used")
	}
	req.Header.Set("Accept", kind)
	req.Header.Set("Accept-Encoding", "identity")
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	res, err := a.client.Do(req)
	if err != nil {
		return nil, a.hidden(bare(err))
	}
	if err := a.check(res, base, kind); err != nil {
		_ = res.Body.Close() // read as far as it matters
		return nil, err
	}
	return res, nil
}

// bare takes away what repeats the whole URL.
func bare(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

func (a *asker) check(res *http.Response, base, kind string) error {
	got, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")) // "" for what is no type
	switch {
	case res.StatusCode == http.StatusOK && got == kind:
		return nil
	case res.StatusCode == http.StatusOK:
		return fmt.Errorf("it is no daemon of Tidemark: it does not answer with %s", kind)
	case isRefusal(res.StatusCode):
		return &RefusedError{URL: base, Status: res.StatusCode, Detail: a.detail(res, got)}
	}
	if detail := a.detail(res, got); detail != "" {
		return fmt.Errorf("it answers: %s (HTTP status %d)", detail, res.StatusCode)
	}
	return fmt.Errorf("it answers with HTTP status %d", res.StatusCode)
}

// detail is the sentence of an error answer, "" where there is none.
func (a *asker) detail(res *http.Response, kind string) string {
	if kind != "application/problem+json" {
		return ""
	}
	var problem struct{ Detail string }
	if err := json.NewDecoder(io.LimitReader(res.Body, maxProblem)).Decode(&problem); err != nil {
		return "" // the status says it
	}
	return oneLine(a.redact(problem.Detail))
}

// redact takes the token out of what somebody else has written.
func (a *asker) redact(text string) string {
	if a.token == "" {
		return text
	}
	return strings.ReplaceAll(text, a.token, "***")
}

// hidden is err, or one that does not show the token in its place.
func (a *asker) hidden(err error) error {
	if text := err.Error(); a.redact(text) != text {
		return errors.New(a.redact(text))
	}
	return err
}

// look asks for everything there is to know of a stream.
func (a *asker) look(ctx context.Context, base string, s *Stream) (*message, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	res, err := a.get(ctx, base, "/v1/streams/"+url.PathEscape(s.name), "application/json", "")
	if err != nil {
		return nil, fmt.Errorf("ask about stream %q: %w", s.name, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("ask about stream %q: %w", s.name, a.hidden(err))
	}
	m, err := readAnswer(body, s)
	if err != nil {
		return nil, fmt.Errorf("read the answer about stream %q: %w", s.name, a.hidden(err))
	}
	return m, nil
}

// eventsPath is where the events of these streams are.
func eventsPath(streams []*Stream) string {
	var names []string
	for _, s := range streams {
		names = append(names, url.QueryEscape(s.name))
	}
	query := strings.Join(names, ",")
	if len(query) > maxQuery {
		return "/v1/events"
	}
	return "/v1/events?streams=" + query
}

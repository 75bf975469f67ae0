package remote

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxName is the longest name of a stream, in bytes.
const maxName = 200

// Config configures a Follower. New validates it and keeps a copy.
type Config struct {
	// URLs are the daemons' addresses, such as http://127.0.0.1:8474; at least
	// one. A path in front of the daemon's own is kept. They serve the same
	// streams of the same database, and are tried in this order.
	URLs []string

	// Streams are the names of the streams to follow; at least one.
	Streams []string

	// Token is sent as a bearer token; empty: none. It is never shown, and
	// never sent anywhere but to URLs: redirects are not followed.
	Token string

	// TLS is how to talk to https addresses; nil: the system's authorities.
	TLS *tls.Config

	// HTTPClient makes the requests in place of one that is made from TLS; nil
	// is the usual choice. Its Timeout and CheckRedirect are not used.
	HTTPClient *http.Client

	// Logger takes a line when the connection is lost, when it is back, and
	// when an epoch changes; nil discards.
	Logger *slog.Logger
}

// String shows the configuration without the token.
func (c Config) String() string {
	text := fmt.Sprintf("urls %q, streams %q", c.shownURLs(), c.Streams)
	if c.Token != "" {
		text += ", a token"
	}
	return text
}

// GoString is String, so that no way of printing shows the token.
func (c Config) GoString() string { return c.String() }

// LogValue is String, so that a logged configuration does not show the token.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// shownURLs are the addresses without passwords that should not be there.
func (c Config) shownURLs() []string {
	var shown []string
	for _, text := range c.URLs {
		u, err := url.Parse(text)
		if err != nil {
			shown = append(shown, "?")
			continue
		}
		shown = append(shown, u.Scheme+"://"+u.Host+u.EscapedPath())
	}
	return shown
}

func (c Config) withDefaults() Config {
	c.URLs, c.Streams = slices.Clone(c.URLs), slices.Clone(c.Streams)
	c.TLS = c.TLS.Clone()
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// validate reports every problem of c at once, and no secret.
func (c Config) validate() error {
	var problems []error
	wrong := func(is bool, format string, args ...any) {
		if is {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	wrong(len(c.URLs) == 0, "no URL is given")
	for i, text := range c.URLs {
		wrong(!isAddress(text), "URL %d is not one such as http://127.0.0.1:8474: scheme, host and path, nothing else", i+1)
	}
	wrong(len(c.Streams) == 0, "no stream is given")
	for i, name := range c.Streams {
		wrong(name == "" || len(name) > maxName || !utf8.ValidString(name), "stream name %q is not UTF-8 text of 1 to %d bytes", name, maxName)
		wrong(slices.Contains(c.Streams[:i], name), "stream %q is given twice", name)
	}
	wrong(strings.ContainsFunc(c.Token, func(r rune) bool { return r <= ' ' || r > '~' }),
		"the token holds a character other than printable ASCII without spaces")
	wrong(c.TLS != nil && c.HTTPClient != nil, "both TLS and HTTPClient are given")
	return errors.Join(problems...)
}

func isAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") &&
		u.User == nil && u.RawQuery == "" && !u.ForceQuery && u.Fragment == ""
}

// bases are the addresses without a slash at their end.
func (c Config) bases() []string {
	var bases []string
	for _, text := range c.URLs {
		bases = append(bases, strings.TrimRight(text, "/"))
	}
	return bases
}

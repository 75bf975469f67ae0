package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	sessionCookie   = "tidemark_session"
	sessionLifetime = 30 * 24 * time.Hour
)

// access decides who is let in.
type access struct {
	token *reloaded[string]
}

func newAccess(file string, logger *slog.Logger) (*access, error) {
	if file == "" {
		return nil, nil // no file: everybody is let in
	}
	token, err := load(logger, parseToken, file)
	if err != nil {
		return nil, fmt.Errorf("reading the token file: %w", err)
	}
	return &access{token: token}, nil
}

// publicPaths are the paths that cfg opens to everybody.
func publicPaths(cfg Config) map[string]bool {
	paths := map[string]bool{"/metrics": cfg.PublicMetrics}
	for _, path := range []string{"/", "/v1/streams", "/v1/events", "/v1/slots"} {
		paths[path] = cfg.PublicPage
	}
	return paths
}

// lets tells whether a request may have what is at its path.
func (s *Server) lets(r *http.Request, e endpoint) bool {
	return s.access == nil || e.open || s.public[requestPath(r)] || s.access.allows(r, time.Now())
}

// parseToken never names the contents in an error.
func parseToken(contents [][]byte) (string, error) {
	token := strings.TrimSpace(string(contents[0]))
	if token == "" {
		return "", errors.New("the token file is empty")
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("the token holds a character other than printable ASCII without spaces")
	}
	return token, nil
}

// allows tells whether the request carries the token or a session made from it.
func (a *access) allows(r *http.Request, now time.Time) bool {
	token := a.token.get()
	if given, ok := bearer(r); ok {
		return equal(given, token)
	}
	cookie, err := r.Cookie(sessionCookie)
	return err == nil && validSession(cookie.Value, token, now)
}

func bearer(r *http.Request) (token string, ok bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "Bearer")
}

// equal takes the same time whatever differs, the length too.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// newSession is a cookie value: when it ends, and a hash of that keyed by the
// token. It outlives a restart, and ends when the token changes.
func newSession(token string, now time.Time) string {
	ends := strconv.FormatInt(now.Add(sessionLifetime).Unix(), 10)
	return ends + "." + sessionMAC(token, ends)
}

func validSession(value, token string, now time.Time) bool {
	ends, mac, _ := strings.Cut(value, ".")
	if !equal(mac, sessionMAC(token, ends)) {
		return false
	}
	unix, err := strconv.ParseInt(ends, 10, 64)
	return err == nil && now.Before(time.Unix(unix, 0))
}

func sessionMAC(token, ends string) string {
	h := hmac.New(sha256.New, []byte(token))
	h.Write([]byte("tidemark session " + ends))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// refuse answers 401: with a form where a browser asks for the page.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="tidemark"`)
	if requestPath(r) == "/" && strings.Contains(r.Header.Get("Accept"), "text/html") {
		s.loginForm(w, r, http.StatusUnauthorized, "")
		return
	}
	detail := "a bearer token is needed"
	if _, given := bearer(r); given {
		detail = "the bearer token is wrong"
	}
	writeProblem(w, r, problem{Status: http.StatusUnauthorized, Detail: detail})
}

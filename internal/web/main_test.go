package web_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidemark-pg/tidemark/internal/web"
	"github.com/tidemark-pg/tidemark/internal/web/webtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a running server and a client of it.
type site struct {
	server *web.Server
	source webtest.Source
	client *http.Client
	base   string
	stop   func() error // begins the stop and waits for Serve
}

// open serves cfg on a loopback port until the test ends.
func open(t *testing.T, cfg web.Config, streams ...string) *site {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return openOn(t, cfg, ln, &http.Transport{}, streams...)
}

func openOn(t *testing.T, cfg web.Config, ln net.Listener, transport *http.Transport, streams ...string) *site {
	t.Helper()
	s := &site{source: webtest.NewSource(streams...), client: &http.Client{Transport: transport}}
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	cfg.Source = s.source
	server, err := web.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.server, s.base = server, "http://"+ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln) }()
	s.stop = func() error {
		cancel()
		err := <-served
		served <- err
		return err
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := s.stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

// answer is a whole response.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("body %q: %v", a.body, err)
	}
	return v
}

func (s *site) request(t *testing.T, method, path string, change ...func(*http.Request)) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(r)
	}
	return r
}

func (s *site) do(t *testing.T, method, path string, change ...func(*http.Request)) answer {
	t.Helper()
	res, err := s.client.Do(s.request(t, method, path, change...))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{status: res.StatusCode, header: res.Header, body: string(body)}
}

func (s *site) get(t *testing.T, path string) answer {
	t.Helper()
	return s.do(t, http.MethodGet, path)
}

// events opens an event stream; close ends it from the client's side.
func (s *site) events(t *testing.T, path string, change ...func(*http.Request)) (events *webtest.Events, closeBody func()) {
	t.Helper()
	res, err := s.client.Do(s.request(t, http.MethodGet, path, change...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("GET %s: %s, %v", path, res.Status, res.Header)
	}
	return webtest.NewEvents(res.Body), func() { _ = res.Body.Close() }
}

func next(t *testing.T, e *webtest.Events, kind string) webtest.Event {
	t.Helper()
	ev, err := e.NextOf(kind)
	if err != nil {
		t.Fatalf("waiting for a %s event: %v", kind, err)
	}
	return ev
}

// header returns a change that sets a request header.
func header(key, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(key, value) }
}

// wantProblem fails unless a is a problem of that status.
func wantProblem(t *testing.T, a answer, status int) map[string]any {
	t.Helper()
	if a.status != status || a.header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("got %d %s, want problem %d: %s", a.status, a.header.Get("Content-Type"), status, a.body)
	}
	p := a.json(t)
	if p["status"] != float64(status) || p["type"] != "about:blank" || p["title"] != http.StatusText(status) ||
		p["detail"] == "" || p["instance"] == "" {
		t.Fatalf("not a whole problem: %s", a.body)
	}
	return p
}

// eventually polls a condition that nothing signals.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

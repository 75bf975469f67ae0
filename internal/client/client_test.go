package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidemark-pg/tidemark/internal/client"
	"github.com/tidemark-pg/tidemark/internal/web"
	"github.com/tidemark-pg/tidemark/internal/web/webtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve serves a handler and returns a client of it.
func serve(t *testing.T, h http.Handler) *client.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c, err := client.New(srv.URL+"/", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return c
}

// daemon serves streams with the real web server.
func daemon(t *testing.T, source webtest.Source) *client.Client {
	t.Helper()
	s, err := web.New(web.Config{Source: source})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	c, err := client.New("http://"+ln.Addr().String(), "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNamesOfAnyKind(t *testing.T) {
	for _, name := range []string{"events", "a/b", "..", "späť ?&%2F+", "new\nline"} {
		source := webtest.NewSource(name)
		c := daemon(t, source)
		source[0].Move(7)
		st, reached, err := c.Wait(t.Context(), client.Target{Stream: name, Position: 7}, time.Second)
		if err != nil || !reached || st.Name != name || st.Position == nil || *st.Position != 7 {
			t.Errorf("%q: %+v %v %v", name, st, reached, err)
		}
		all, err := c.Streams(t.Context())
		if err != nil || len(all) != 1 || all[0].Name != name {
			t.Errorf("%q: %+v %v", name, all, err)
		}
	}
}

func TestWait(t *testing.T) {
	source := webtest.NewSource("events")
	c := daemon(t, source)
	_, reached, err := c.Wait(t.Context(), client.Target{Stream: "events", Position: 1}, 0)
	if err != nil || reached {
		t.Errorf("not there yet: %v %v", reached, err)
	}
	writer := "b"
	source[0].Move(3)
	if _, reached, err = c.Wait(t.Context(), client.Target{Stream: "events", Position: 3, Writer: &writer, Epoch: "e1"}, 0); err != nil || !reached {
		t.Errorf("writer: %v %v", reached, err)
	}
	var p *client.Problem
	if _, _, err = c.Wait(t.Context(), client.Target{Stream: "events", Position: 3, Epoch: "e0"}, time.Minute); !errors.As(err, &p) || p.Status != http.StatusConflict {
		t.Errorf("another epoch: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err = c.Wait(ctx, client.Target{Stream: "events", Position: 9}, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A daemon accepts five minutes at the most; longer waits are several.
func TestLongWaitIsSeveral(t *testing.T) {
	var asked []string
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("timeout"))
		fmt.Fprintf(w, `{"name":"events","reached":%t}`, len(asked) == 3)
	}))
	_, reached, err := c.Wait(t.Context(), client.Target{Stream: "events", Position: 1}, time.Hour)
	if err != nil || !reached || len(asked) != 3 {
		t.Fatalf("%v %v %v", reached, err, asked)
	}
	for _, a := range asked {
		if a != "5m0s" {
			t.Errorf("timeout=%s", a)
		}
	}
}

func TestEvents(t *testing.T) {
	source := webtest.NewSource("events")
	c := daemon(t, source)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var seen []client.Event
	err := c.Events(ctx, func(e client.Event) {
		seen = append(seen, e)
		switch {
		case e.Position != nil && *e.Position == 0:
			source[0].Move(5)
		case e.Position != nil && *e.Position == 5:
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || len(seen) < 2 {
		t.Errorf("%v %+v", err, seen)
	}
}

func TestStrangersAreNoDaemon(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"page":     func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"404 page": http.NotFound,
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
	} {
		_, err := serve(t, h).Streams(t.Context())
		if err == nil || !strings.Contains(err.Error(), "no daemon of Tidemark") || !strings.Contains(err.Error(), "--url") {
			t.Errorf("%s: %v", name, err)
		}
	}
	end := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "event: position\ndata: {\n\n") }))
	if err := end.Events(t.Context(), func(client.Event) { t.Error("an event") }); err == nil {
		t.Error("half an event is no error")
	}
}

func TestAddresses(t *testing.T) {
	for _, bad := range []string{"", "127.0.0.1:8474", "ftp://h", "http://u:p@h", "http://h?x=1", "http://%zz"} {
		if _, err := client.New(bad, ""); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestSlots(t *testing.T) {
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/slots" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		_, _ = io.WriteString(w, `{"slots":[{"name":"tidemark","restart_lsn":"0/1A0","retained_bytes":64,"verdict":"stalled","reason":"why"}]}`)
	}))
	found, err := c.Slots(t.Context())
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	if s := found[0]; s.Name != "tidemark" || s.RestartLSN.String() != "0/1A0" || *s.RetainedBytes != 64 || s.Verdict != "stalled" || s.Reason != "why" {
		t.Errorf("%+v", s)
	}
}

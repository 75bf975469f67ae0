package remote_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/remote"
	"github.com/tidemark-pg/tidemark/internal/logtest"
)

// handler serves a handler over real TCP until the test ends.
func handler(t *testing.T, serve http.HandlerFunc) (url string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: serve, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(ln) // ends by Close
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
	return "http://" + ln.Addr().String()
}

const good = "event: position\ndata: {\"stream\":\"events\",\"position\":%d,\"writers\":{},\"epoch\":\"7/1/0\",\"lsn\":\"0/8\"}\n\n"

// scripted sends each connection for events the next of some texts, and ends it.
func scripted(t *testing.T, texts ...string) (url string) {
	t.Helper()
	var calls atomic.Int64
	return handler(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/v1/events") {
			http.Error(w, "broken", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		i := int(calls.Add(1)) - 1
		if i < len(texts) {
			_, _ = io.WriteString(w, texts[i])
			return
		}
		_, _ = fmt.Fprintf(w, "retry: 0\n\n"+good+"event: state\ndata: {\"stream\":\"events\",\"state\":\"following\"}\n\n", 1000)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
}

// Whatever a server sends, the next connection is as good as any.
func TestJunk(t *testing.T) {
	t.Parallel()
	position := func(rest string) string {
		return "event: position\ndata: {\"stream\":\"events\"," + rest + "}\n\n"
	}
	for name, text := range map[string]string{
		"nothing":           "",
		"no events":         "<html>\x00\xff",
		"no JSON":           "event: position\ndata: {\n\n",
		"another type":      "event: position\ndata: [1]\n\n",
		"half an event":     strings.TrimSuffix(fmt.Sprintf(good, 5000), "\n"),
		"no position":       position(`"epoch":"e","position":null`),
		"no epoch":          position(`"position":5000`),
		"an empty epoch":    position(`"position":5000,"epoch":""`),
		"a position beyond": position(`"position":9223372036854775808,"epoch":"7/1/0"`),
		"a broken lsn":      position(`"position":5000,"epoch":"7/1/0","lsn":"x"`),
		"broken writers":    position(`"position":5000,"epoch":"7/1/0","writers":{"a":"b"}`),
		"a huge line":       "data: " + strings.Repeat("x", 17<<20),
		"a huge event":      strings.Repeat("data: "+strings.Repeat("x", 1<<20)+"\n", 17),
		"a long retry":      "retry: 1\nretry: 4294967295999\n\n",
		"unknown events":    "event: news\ndata: {\n\nevent: position\ndata: {\"stream\":\"another\",\"position\":5000}\n\ndata: x\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := follow(t, scripted(t, text))
			await(t, s, "the next connection", func(st follower.Status) bool {
				return st.Position == 1000 && st.State == follower.StateFollowing
			})
		})
	}
}

func TestUnknownIsLeftOut(t *testing.T) {
	t.Parallel()
	s := follow(t, handler(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/events" {
			http.Error(w, "broken", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for i, part := range []string{"event: news\ndata: {\n\n", ": comment\n\n", "event: position\ndata: {\"stream\":\"x\"}\n\n", good} {
			if i == 3 {
				part = fmt.Sprintf(part, 7)
			}
			for j := range len(part) { // split in the worst way
				_, _ = io.WriteString(w, part[j:j+1])
				_ = http.NewResponseController(w).Flush()
			}
		}
		<-r.Context().Done()
	}))
	await(t, s, "the one that is known", at(7))
	if st := s.Status(); st.State != follower.StateStarting || st.Moves != 1 {
		t.Errorf("%+v", st)
	}
}

// A server that sends the token back does not have it shown, and one that
// redirects does not get it sent elsewhere.
func TestTokenStaysSecret(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	other := handler(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	var asked sync.Map
	answers := map[string]http.HandlerFunc{
		"/detail": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(503)
			_, _ = fmt.Fprintf(w, `{"detail":"no: %s\u0000\n%s"}`, r.Header.Get("Authorization"), strings.Repeat("long ", 9999))
		},
		"/redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other, http.StatusTemporaryRedirect) },
		"/type": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/"+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		},
		"/state": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = fmt.Fprintf(w, "event: state\ndata: {\"stream\":\"events\",\"state\":\"halted\",\"reason\":\"/state %s\"}\n\n", r.Header.Get("Authorization"))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(20 * time.Millisecond) // so that it is seen
		},
		"/event": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = fmt.Fprintf(w, "event: position\ndata: {\"stream\":\"events\",\"position\":\"%s\"}\n\n", r.Header.Get("Authorization"))
		},
		"/header": func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = fmt.Fprintf(conn, "HTTP/1.1 %s\r\n\r\n", r.Header.Get("Authorization"))
				_ = conn.Close()
			}
		},
	}
	base := handler(t, func(w http.ResponseWriter, r *http.Request) {
		for path, answer := range answers {
			if strings.HasPrefix(r.URL.Path, path) {
				if r.Header.Get("Authorization") != "Bearer "+secret {
					t.Errorf("%s: Authorization %q", path, r.Header.Get("Authorization"))
				}
				asked.Store(path, true)
				answer(w, r)
			}
		}
	})
	log := &logtest.Buffer{}
	cfg := remote.Config{
		Streams: []string{"events"}, Token: secret,
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for path := range answers {
		cfg.URLs = append(cfg.URLs, base+path)
	}
	f := run(t, cfg)
	var reasons strings.Builder
	for path := range answers {
		st := await(t, f.Streams()[0], path, func(st follower.Status) bool { return strings.Contains(st.Reason, path) })
		reasons.WriteString(st.Reason)
		if len(st.Reason) > 2000 || strings.ContainsAny(st.Reason, "\x00\n") {
			t.Errorf("%s: %q", path, st.Reason)
		}
	}
	if text := log.String() + reasons.String(); strings.Contains(text, secret) || !strings.Contains(text, "***") {
		t.Errorf("shown: %s", text)
	}
	if elsewhere.Load() != 0 {
		t.Error("the redirect was followed")
	}
}

// A server that gives one byte now and then is as good as it is slow.
func TestSlowServer(t *testing.T) {
	t.Parallel()
	s := follow(t, handler(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, b := range []byte(fmt.Sprintf(good, 7)) {
			_, _ = w.Write([]byte{b})
			if http.NewResponseController(w).Flush() != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
		<-r.Context().Done()
	}))
	await(t, s, "the event", at(7))
}

// A subscriber that is slow gets the newest, and holds up nobody but its daemon.
func TestServerThatIsFast(t *testing.T) {
	t.Parallel()
	const last = 5000
	s := follow(t, handler(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range last {
			_, _ = fmt.Fprintf(w, good, i+1)
		}
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	await(t, s, "the last", at(last))
	if st := s.Status(); st.Moves != last {
		t.Errorf("%d moves", st.Moves)
	}
}

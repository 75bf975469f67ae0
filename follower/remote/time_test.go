package remote_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/remote"
	"github.com/tidemark-pg/tidemark/internal/nettest"
	"github.com/tidemark-pg/tidemark/internal/web"
	"github.com/tidemark-pg/tidemark/internal/web/webtest"
)

// raw serves a handler within a bubble and records when events were asked for.
type raw struct {
	*nettest.Pipes
	mu   sync.Mutex
	asks []time.Duration // since it began
}

func serveRaw(t *testing.T, events http.HandlerFunc) *raw {
	t.Helper()
	r, begun := &raw{Pipes: nettest.NewPipes()}, time.Now()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !strings.HasPrefix(req.URL.Path, "/v1/events") {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		r.mu.Lock()
		r.asks = append(r.asks, time.Since(begun))
		r.mu.Unlock()
		events(w, req)
	})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(r) // ends by Close
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
	return r
}

func (r *raw) asked() []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]time.Duration(nil), r.asks...)
}

func (r *raw) refuse() { _ = r.Close() }

// write sends a text at once.
func write(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, text)
	_ = http.NewResponseController(w).Flush()
}

// rest waits, or until the client has gone.
func rest(req *http.Request, d time.Duration) {
	select {
	case <-time.After(d):
	case <-req.Context().Done():
	}
}

func followPipes(t *testing.T, to map[string]*nettest.Pipes, hosts ...string) *remote.Stream {
	t.Helper()
	cfg := remote.Config{Streams: []string{"events"}, HTTPClient: pipes(t, to)}
	for _, h := range hosts {
		cfg.URLs = append(cfg.URLs, "http://"+h)
	}
	return run(t, cfg).Streams()[0]
}

// A connection on which nothing comes for 40 s is replaced; heartbeats, even in
// pieces, keep it.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := serveRaw(t, func(w http.ResponseWriter, req *http.Request) {
			write(w, fmt.Sprintf(good, 7))
			for range 20 {
				rest(req, 39*time.Second)
				write(w, ":")
			}
			<-req.Context().Done()
		})
		s := followPipes(t, map[string]*nettest.Pipes{"a": r.Pipes}, "a")
		time.Sleep(20*39*time.Second + 39*time.Second)
		if n := len(r.asked()); n != 1 {
			t.Fatalf("%d connections", n)
		}
		time.Sleep(2 * time.Second) // the fortieth, and the first pause
		synctest.Wait()
		if n := len(r.asked()); n != 2 || s.CurrentToken() != 7 {
			t.Errorf("%d connections, position %d", n, s.CurrentToken())
		}
	})
}

// A real server's heartbeats are enough.
func TestQuietDaemonIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln, source := nettest.NewPipes(), webtest.NewSource("events")
		d := &daemon{t: t, cfg: web.Config{Source: source}}
		d.startOn(ln)
		t.Cleanup(func() { d.stop() })
		s := followPipes(t, map[string]*nettest.Pipes{"a": ln}, "a")
		states := 0
		defer s.Watch(func() {
			if s.Status().State == follower.StateReconnecting {
				states++
			}
		})()
		pid := int32(7)
		time.Sleep(time.Hour)
		source[0].Update(func(st *follower.Status) {
			st.AllocatedKnown, st.Allocated, st.HeldBy = true, 3, []follower.Holder{{PID: &pid}}
		})
		time.Sleep(time.Minute) // nothing moves, so it is asked
		synctest.Wait()
		if st := s.Status(); st.State != follower.StateFollowing || states != 0 || st.Allocated != 3 || len(st.HeldBy) != 1 {
			t.Errorf("%d times not following: %+v", states, st)
		}
	})
}

// What a look could not tell yet, because the daemon was loading, is asked for
// as soon as there is news.
func TestLookIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln, source := nettest.NewPipes(), webtest.NewSource("events")
		d := &daemon{t: t, cfg: web.Config{Source: source}}
		source[0].Update(func(st *follower.Status) { st.Known, st.State = false, follower.StateStarting })
		d.startOn(ln)
		t.Cleanup(func() { d.stop() })
		s := followPipes(t, map[string]*nettest.Pipes{"a": ln}, "a")
		time.Sleep(time.Second)
		source[0].Update(func(st *follower.Status) { st.Known, st.State = true, follower.StateFollowing })
		time.Sleep(100 * time.Millisecond)
		source[0].Update(func(st *follower.Status) { st.AllocatedKnown, st.Allocated = true, 3 }) // no event tells this
		time.Sleep(time.Second)
		synctest.Wait()
		if st := s.Status(); st.Allocated != 3 {
			t.Errorf("%+v", st)
		}
		pid := int32(7)
		source[0].Update(func(st *follower.Status) {
			st.State, st.Reason, st.HeldBy = follower.StateHalted, "no column", []follower.Holder{{PID: &pid}}
		})
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if st := s.Status(); len(st.HeldBy) != 1 {
			t.Errorf("halted: %+v", st)
		}
	})
}

// A server that accepts and does not answer is given up after 10 s.
func TestNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := serveRaw(t, func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() })
		s := followPipes(t, map[string]*nettest.Pipes{"a": r.Pipes}, "a")
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if st := s.Status(); st.State != follower.StateStarting || st.Reason != "" {
			t.Errorf("%s: %s", st.State, st.Reason)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if st := s.Status(); st.State != follower.StateStarting || !strings.Contains(st.Reason, "said nothing") || len(r.asked()) != 2 {
			t.Errorf("%s: %s, %d attempts", st.State, st.Reason, len(r.asked()))
		}
	})
}

// A daemon that ends each connection at once is asked less and less often.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := serveRaw(t, func(w http.ResponseWriter, _ *http.Request) { write(w, fmt.Sprintf(good, 7)) })
		followPipes(t, map[string]*nettest.Pipes{"a": r.Pipes}, "a")
		time.Sleep(time.Minute)
		synctest.Wait()
		asks := r.asked()
		if n := len(asks); n < 10 || n > 35 {
			t.Errorf("%d attempts in a minute: %v", n, asks)
		}
		if last := asks[len(asks)-1] - asks[len(asks)-2]; last < 2*time.Second {
			t.Errorf("the last pause is %s", last)
		}
	})
}

// The pause that a daemon asks for is kept, and after a connection that was of
// use pauses are short again.
func TestRetryIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := serveRaw(t, func(w http.ResponseWriter, req *http.Request) {
			write(w, "retry: 2500\n\n"+fmt.Sprintf(good, 7))
			rest(req, 30*time.Second)
		})
		followPipes(t, map[string]*nettest.Pipes{"a": r.Pipes}, "a")
		time.Sleep(10 * time.Minute)
		asks := r.asked()
		for i := range len(asks) - 1 {
			if pause := asks[i+1] - asks[i] - 30*time.Second; pause < 2500*time.Millisecond || pause > 2600*time.Millisecond {
				t.Errorf("pause %d: %s", i, pause)
			}
		}
	})
}

// With another address at hand a lost daemon costs a fraction of a second.
func TestHopIsQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := make(chan struct{})
		a := serveRaw(t, func(w http.ResponseWriter, _ *http.Request) {
			write(w, "retry: 3000\n\n"+fmt.Sprintf(good, 7))
			<-lost
		})
		b := serveRaw(t, func(w http.ResponseWriter, req *http.Request) {
			write(w, fmt.Sprintf(good, 9))
			<-req.Context().Done()
		})
		s := followPipes(t, map[string]*nettest.Pipes{"a": a.Pipes, "b": b.Pipes}, "a", "b")
		time.Sleep(time.Minute)
		a.refuse()
		close(lost)
		time.Sleep(250 * time.Millisecond)
		synctest.Wait()
		if p := s.CurrentToken(); p != 9 {
			t.Errorf("position %d: %+v", p, s.Status())
		}
	})
}

// A daemon that waits for another one's slot is left for that one: only there do
// announced positions go on.
func TestStandbyIsLeftForTheOneThatReadsTheSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		says := func(state follower.State) *nettest.Pipes {
			return serveRaw(t, func(w http.ResponseWriter, req *http.Request) {
				write(w, fmt.Sprintf(good, 7)+fmt.Sprintf("event: state\ndata: {\"stream\":\"events\",\"state\":%q}\n\n", state))
				<-req.Context().Done()
			}).Pipes
		}
		s := followPipes(t, map[string]*nettest.Pipes{"a": says(follower.StateStandby), "b": says(follower.StateFollowing)}, "a", "b")
		synctest.Wait()
		if st := s.Status(); st.State != follower.StateStandby {
			t.Fatalf("at first: %+v", st)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if st := s.Status(); st.State != follower.StateFollowing {
			t.Errorf("then: %+v", st)
		}
	})
}

// A daemon without a server is left for another one, but for good only if that
// is better.
func TestDaemonWithoutServerIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := func(state follower.State) string {
			return fmt.Sprintf("event: state\ndata: {\"stream\":\"events\",\"state\":%q}\n\n", state)
		}
		broken := make(chan struct{})
		a := serveRaw(t, func(w http.ResponseWriter, req *http.Request) {
			write(w, fmt.Sprintf(good, 7)+state(follower.StateFollowing))
			select {
			case <-broken:
				write(w, state(follower.StateReconnecting))
				<-req.Context().Done()
			case <-req.Context().Done():
			}
		})
		b := serveRaw(t, func(w http.ResponseWriter, req *http.Request) {
			write(w, fmt.Sprintf(good, 9)+state(follower.StateStandby))
			<-req.Context().Done()
		})
		to := map[string]*nettest.Pipes{"a": a.Pipes, "b": b.Pipes}
		s, alone := followPipes(t, to, "a", "b"), followPipes(t, to, "a")
		time.Sleep(20 * time.Second)
		close(broken)
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if st := s.Status(); st.State != follower.StateReconnecting || st.Position != 7 {
			t.Errorf("too early: %+v", st)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if st := s.Status(); st.State != follower.StateStandby || st.Position != 9 {
			t.Errorf("not left: %+v", st)
		}
		if n := len(a.asked()); n != 2 || alone.Status().State != follower.StateReconnecting {
			t.Errorf("%d connections: who has one address stays: %+v", n, alone.Status())
		}
	})
}

// A daemon that lost count of how often ids started over is followed again, but
// one that is merely behind is not.
func TestEpochThatReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln, source := nettest.NewPipes(), webtest.NewSource("events")
		d := &daemon{t: t, cfg: web.Config{Source: source}}
		d.startOn(ln)
		t.Cleanup(func() { d.stop() })
		s := followPipes(t, map[string]*nettest.Pipes{"a": ln}, "a")
		for i, epoch := range []string{"7/1/0/9.1", "7/1/0/9.1/1", "7/1/0/9.1"} {
			move(source[0], epoch, int64(i), nil)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if s.Epoch() != "7/1/0/9.1/1" || s.Status().State != follower.StateReconnecting {
			t.Errorf("at once: %q, %+v", s.Epoch(), s.Status())
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if s.Epoch() != "7/1/0/9.1" || s.CurrentToken() != 2 || s.Status().State != follower.StateFollowing {
			t.Errorf("later: %q, %+v", s.Epoch(), s.Status())
		}
	})
}

// Who cannot connect at all says so, and whom it tried.
func TestUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := nettest.NewPipes()
		_ = ln.Close()
		s := followPipes(t, map[string]*nettest.Pipes{"a": ln, "b": ln}, "a", "b")
		time.Sleep(time.Minute)
		synctest.Wait()
		st := s.Status()
		if st.State != follower.StateStarting || !strings.Contains(st.Reason, "http://") || !strings.Contains(st.Reason, "connection refused") {
			t.Errorf("%+v", st)
		}
	})
}

var _ net.Listener = (*raw)(nil)

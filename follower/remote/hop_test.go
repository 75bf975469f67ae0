package remote_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/web"
	"github.com/tidemark-pg/tidemark/internal/web/webtest"
	"github.com/tidemark-pg/tidemark/tracker"
)

// two are daemons of the same streams.
type two struct {
	sources [2]webtest.Source
	daemons [2]*daemon
}

func serveTwo(t *testing.T) *two {
	t.Helper()
	var w two
	for i := range w.sources {
		w.sources[i] = webtest.NewSource("events")
		w.daemons[i] = serve(t, web.Config{Source: w.sources[i]})
	}
	return &w
}

func (w *two) urls() []string { return []string{w.daemons[0].url, w.daemons[1].url} }

func (w *two) move(i int, epoch string, position int64, writers map[string]int64) {
	move(w.sources[i][0], epoch, position, writers)
}

// hop ends the present daemon's connections and has the other one answer.
func (w *two) hop(from int) {
	w.daemons[1-from].stop()
	w.daemons[1-from].start()
	w.daemons[from].stop()
}

// backwards records moves that go back.
type backwards struct {
	mu   sync.Mutex
	last int64
	bad  []int64
}

func (b *backwards) take(m tracker.Move) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m.Position < b.last {
		b.bad = append(b.bad, m.Position)
	}
	b.last = m.Position
}

func TestHoppingNeverGoesBack(t *testing.T) {
	w := serveTwo(t)
	w.move(0, "7/1/0/9.1", 100, map[string]int64{"a": 100, "b": 90})
	w.move(1, "7/1/0/9.1", 60, map[string]int64{"a": 60, "c": 50})
	s := follow(t, w.urls()...)
	var seen backwards
	defer s.Subscribe(seen.take)()
	await(t, s, "the first", at(100))
	for i := range 6 {
		from := i % 2
		w.hop(from)
		// A reason to know that the other one has been heard: a writer of its own.
		marker := string(rune('m' + i))
		w.sources[1-from][0].Update(func(st *follower.Status) { st.Writers[marker] = int64(i + 1) })
		await(t, s, "the other daemon is followed", func(st follower.Status) bool {
			return st.Writers[marker] == int64(i+1) && st.State == follower.StateFollowing
		})
		if st := s.Status(); st.Position != 100 || st.Writers["a"] != 100 || s.CurrentTokenForWriter("b") != 100 {
			t.Errorf("hop %d: %+v", i, st)
		}
	}
	w.move(0, "7/1/0/9.1", 130, map[string]int64{"a": 130})
	await(t, s, "it goes on", at(130))
	if len(seen.bad) > 0 {
		t.Errorf("told going back: %v", seen.bad)
	}
}

func TestDaemonRestarted(t *testing.T) {
	source := webtest.NewSource("events")
	d := serve(t, web.Config{Source: source})
	s := follow(t, d.url)
	move(source[0], "7/1/0/9.1", 10, nil)
	await(t, s, "moved", at(10))
	d.stop()
	if st := await(t, s, "reconnecting", in(follower.StateReconnecting, d.url)); !st.Known || st.Position != 10 {
		t.Errorf("%+v", st)
	}
	// It has begun anew and does not know its position yet.
	source[0].Update(func(st *follower.Status) { st.Known, st.State, st.Reason = false, follower.StateStarting, "loading" })
	d.start()
	if st := await(t, s, "starting", in(follower.StateStarting, "loading")); !st.Known || st.Position != 10 || s.Epoch() != "7/1/0/9.1" {
		t.Errorf("%+v", st)
	}
	source[0].Update(func(st *follower.Status) {
		st.Known, st.State, st.Reason, st.Position = true, follower.StateFollowing, "", 12
	})
	await(t, s, "it goes on", func(st follower.Status) bool { return st.Position == 12 && st.State == follower.StateFollowing })
}

// RULES 11: a daemon left on the old timeline is not followed, and another is.
func TestOldTimelineIsLeft(t *testing.T) {
	w := serveTwo(t)
	w.move(0, "7/2/A0/9.1", 50, nil)
	w.move(1, "7/1/0/9.1", 900, nil)
	s := follow(t, w.urls()...)
	await(t, s, "the new timeline", at(50))
	w.hop(0)
	await(t, s, "the old one is not followed", in(follower.StateReconnecting, "tells an epoch that is over"))
	if s.CurrentToken() != 50 || s.Epoch() != "7/2/A0/9.1" {
		t.Errorf("%d of %q", s.CurrentToken(), s.Epoch())
	}
	w.move(1, "7/2/A0/9.1", 51, nil) // it has learned of the failover
	await(t, s, "the new timeline again", at(51))
}

// The waiters of the old timeline fail when any daemon tells of the new one.
func TestFailoverIsNoticedOnAHop(t *testing.T) {
	w := serveTwo(t)
	w.move(0, "7/1/0/9.1", 900, nil)
	w.move(1, "7/2/A0/9.1", 50, nil)
	s := follow(t, w.urls()...)
	await(t, s, "the old timeline", at(900))
	ended := make(chan error, 1)
	go func() {
		ended <- s.WaitFor(t.Context(), follower.Target{Position: 1000, Epoch: "7/1/0/9.1"})
	}()
	w.hop(0)
	var epoch *follower.EpochError
	if err := <-ended; !errors.As(err, &epoch) || epoch.Have != "7/2/A0/9.1" {
		t.Errorf("%v", err)
	}
	await(t, s, "the new timeline", at(50))
}

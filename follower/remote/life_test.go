package remote

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pglogrepl"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/tracker"
)

func newTestStream(t *testing.T) *Stream {
	t.Helper()
	f, err := New(Config{URLs: []string{"http://127.0.0.1:1"}, Streams: []string{"events"}})
	if err != nil {
		t.Fatal(err)
	}
	return f.streams[0]
}

// tell has the stream take a position.
func (s *Stream) tellPosition(t *testing.T, epoch string, at int64, writers map[string]int64, gone ...string) {
	t.Helper()
	p := &position{at: at, writers: writers, epoch: epoch, lsn: pglogrepl.LSN(max(at, -at))}
	if err := s.take(&message{stream: s, told: true, position: p}, gone, time.Now()); err != nil {
		t.Fatalf("position %d of %q: %v", at, epoch, err)
	}
}

func wantWriters(t *testing.T, s *Stream, want map[string]int64) {
	t.Helper()
	if got := s.Positions(); !maps.Equal(got, want) {
		t.Errorf("writers %v, want %v", got, want)
	}
}

// The daemon's position is the position: the least of the writers that it shows
// is no minimum, for it need not show all, and may hold P below (RULES 20).
func TestWritersDoNotMoveThePosition(t *testing.T) {
	for _, sign := range []int64{1, -1} {
		s := newTestStream(t)
		s.tellPosition(t, "e", 5*sign, map[string]int64{"a": 9 * sign, "b": 7 * sign})
		if p := s.CurrentToken(); p != 5*sign {
			t.Errorf("position %d", p)
		}
		if p := s.CurrentTokenForWriter("a"); p != 9*sign {
			t.Errorf("writer a at %d", p)
		}
		if p := s.CurrentTokenForWriter("c"); p != 5*sign {
			t.Errorf("an unknown writer at %d", p)
		}
		if err := s.WaitWriter(t.Context(), "b", 7*sign); err != nil {
			t.Error(err)
		}
	}
}

// P never goes back, whichever daemon answers, nor does a writer, nor the LSN.
func TestFurthestIsKept(t *testing.T) {
	for _, sign := range []int64{1, -1} {
		s := newTestStream(t)
		s.tellPosition(t, "e", 10*sign, map[string]int64{"a": 10 * sign, "b": 8 * sign})
		s.tellPosition(t, "e", 7*sign, map[string]int64{"a": 7 * sign, "c": 6 * sign})
		if st := s.Status(); st.Position != 10*sign || st.LSN != 10 || st.Moves != 1 {
			t.Errorf("%+v", st)
		}
		wantWriters(t, s, map[string]int64{"a": 10 * sign, "b": 8 * sign, "c": 6 * sign})
		s.tellPosition(t, "e", 11*sign, map[string]int64{"a": 11 * sign}, "b")
		wantWriters(t, s, map[string]int64{"a": 11 * sign, "c": 6 * sign})
	}
}

func TestWritersAreBounded(t *testing.T) {
	s := newTestStream(t)
	for i := range 10 {
		writers := map[string]int64{}
		for w := range tracker.MaxWriters {
			writers[fmt.Sprint(i, "-", w)] = int64(i + 1)
		}
		s.tellPosition(t, "e", int64(i+1), writers)
		if n := len(s.life.Load().writers); n > tracker.MaxWriters {
			t.Fatalf("%d writers", n)
		}
	}
	if _, ok := s.Positions()["9-5"]; !ok {
		t.Error("one that was told last is missing")
	}
}

// While a stream has no id its direction is not known: what would be reached at
// once in one of the two is not reached yet.
func TestDirectionIsLearned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, sign := range []int64{1, -1} {
			s := newTestStream(t)
			s.tellPosition(t, "e", 0, nil)
			ended := map[int64]chan error{}
			for _, target := range []int64{3, -3} {
				done := make(chan error, 1)
				go func() { done <- s.Wait(t.Context(), target) }()
				ended[target] = done
			}
			if err := s.WaitFor(t.Context(), follower.Target{Epoch: "e"}); err != nil {
				t.Errorf("the position is known: %v", err)
			}
			synctest.Wait()
			for target, done := range ended {
				if len(done) != 0 {
					t.Errorf("%d is reached at 0", target)
				}
			}
			var told int64
			s.Subscribe(func(m tracker.Move) { told = m.Position })
			s.tellPosition(t, "e", sign, nil)
			synctest.Wait()
			if len(ended[-3*sign]) != 1 || len(ended[3*sign]) != 0 {
				t.Errorf("at %d: %d and %d", sign, len(ended[3*sign]), len(ended[-3*sign]))
			}
			s.tellPosition(t, "e", 3*sign, nil)
			for _, done := range ended {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			if told != 3*sign || s.Epoch() != "e" {
				t.Errorf("told %d, epoch %q", told, s.Epoch())
			}
		}
	})
}

// An answer tells the direction too, where rows have been drawn and none is there.
func TestAllocatedTellsTheDirection(t *testing.T) {
	s := newTestStream(t)
	m, err := readAnswer([]byte(`{"name":"events","position":0,"epoch":"e","lsn":"0/8","allocated":-4,"late_rows":2,
		"held_by":[{"pid":7}],"moved_at":null,"checked_at":"2026-01-02T03:04:05Z","state":"following","unknown":[1]}`), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.take(m, nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	st := s.Status()
	if !s.life.Load().descending || !st.AllocatedKnown || st.Allocated != -4 || st.LateRows != 2 || len(st.HeldBy) != 1 || *st.HeldBy[0].PID != 7 {
		t.Errorf("%+v", st)
	}
	if st.CheckedAt.IsZero() || !st.MovedAt.IsZero() || st.State != follower.StateStarting {
		t.Errorf("%+v", st)
	}
	s.tellPosition(t, "e", -5, nil)
	if st := s.Status(); st.Allocated != -5 || st.HeldBy != nil {
		t.Errorf("allocated %d, held by %v, at %d", st.Allocated, st.HeldBy, st.Position)
	}
}

// RULES 11: a lower epoch of the same system is never returned to; one that
// cannot be ordered only when it is told for a while, and the present one is not.
func TestEpochsThatAreOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestStream(t)
		tell := func(epoch string) error {
			return s.take(&message{stream: s, position: &position{at: 100, epoch: epoch}}, nil, time.Now())
		}
		s.tellPosition(t, "7/1/0/9.1", 5, nil)
		s.tellPosition(t, "7/2/A0/9.1", 4, nil)
		s.tellPosition(t, "7/2/A0/9.2", 3, nil)
		refused := func(epoch string) {
			t.Helper()
			var stale *staleEpochError
			if err := tell(epoch); !errors.As(err, &stale) || s.CurrentToken() != 3 || s.Epoch() != "7/2/A0/9.2" {
				t.Errorf("%q: %v, at %d of %q", epoch, err, s.CurrentToken(), s.Epoch())
			}
		}
		refused("7/1/0/9.1")
		refused("7/2/A0/9.1")
		time.Sleep(returnAfter - time.Second)
		refused("7/2/A0/9.1")
		s.tellPosition(t, "7/2/A0/9.2", 3, nil) // somebody still tells the present one
		time.Sleep(returnAfter)
		refused("7/1/0/9.1")
		refused("7/2/A0/9.1")
		time.Sleep(returnAfter)
		refused("7/1/0/9.1")
		if err := tell("7/2/A0/9.1"); err != nil || s.CurrentToken() != 100 {
			t.Errorf("after %s: %v, at %d", returnAfter, err, s.CurrentToken())
		}
		if len(s.left) > 2 {
			t.Errorf("left: %q", s.left)
		}
	})
}

// A waiter whose context and epoch end at once gets one of the two errors.
func TestEndOfEpochAndContext(t *testing.T) {
	for range 200 {
		s := newTestStream(t)
		s.tellPosition(t, "e1", 1, nil)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.WaitFor(ctx, follower.Target{Position: 9, Epoch: "e1"}) }()
		go cancel()
		s.tellPosition(t, "e2", 1, nil)
		var epoch *follower.EpochError
		if err := <-ended; !errors.Is(err, context.Canceled) && !errors.As(err, &epoch) {
			t.Fatal(err)
		}
	}
}

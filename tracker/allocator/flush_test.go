package allocator

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// unhurried servers flush nothing by themselves for as long as a test lasts.
func unhurried() []pgtest.Option {
	return []pgtest.Option{
		pgtest.Setting("wal_writer_delay", "10s"), pgtest.Setting("synchronous_commit", "off"),
		pgtest.Setting("wal_writer_flush_after", "1GB"), pgtest.Setting("bgwriter_delay", "10s"),
	}
}

// RULES 17: after asynchronous commits and a crash the sequence hands ids out
// again; none of them may lie below an announced position, wherever it is.
func TestNoIDBelowAnAnnouncedPositionComesBackAfterACrash(t *testing.T) {
	t.Parallel()
	s := server(t, unhurried()...)
	reused := 0
	for range 6 {
		a, err := Open(t.Context(), s.pool, s.config("a", "a"))
		if err != nil {
			t.Fatal(err)
		}
		s.exec("SELECT nextval('foobar_seq')") // logs the next 32 values, and nobody flushes that
		for range 3 {
			s.write(a)
		}
		last := s.write(a)
		if reused%2 == 1 { // let it announce in every other round
			s.await("announced", func() bool { return a.CurrentToken() == last })
		}
		_ = s.cluster.Kill()
		position, told := a.CurrentToken(), a.CurrentTokenForWriter("a")
		s.crash(a)
		if err := s.cluster.StartAgain(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.conn = s.connect()
		s.pool.Reset()
		next := s.number("SELECT nextval('foobar_seq')")
		if next <= position || next <= told || next <= s.stored("a") {
			t.Fatalf("id %d is handed out after position %d, token %d, stored %d", next, position, told, s.stored("a"))
		}
		if next <= last {
			reused++
		}
	}
	if reused == 0 {
		t.Error("no id was handed out again: the test shows nothing")
	}
}

// The same with an allocator that survives the crash: it stops, because ids it
// gave away may be given away again.
func TestCrashThatLosesDrawsStopsTheAllocator(t *testing.T) {
	t.Parallel()
	s := server(t, unhurried()...)
	c := s.config("a", "a")
	c.IdleInterval = time.Hour
	a := s.open(c)
	s.exec("SELECT nextval('foobar_seq')")
	s.next(a)
	if err := s.cluster.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.cluster.StartAgain(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Others have drawn the lost ids since: the ids themselves show nothing.
	mustExec(t, s.connect(), "SELECT nextval('foobar_seq') FROM generate_series(1, 100)")
	s.await("stopped", func() bool {
		h, err := a.Next(t.Context())
		if err == nil {
			t.Fatalf("goes on with %v", h.IDs())
		}
		return errors.Is(err, ErrWentBack)
	})
}

// RULES 9 and 17: an id that failed is done once its draw is flushed, and that
// is brought about where nothing else does.
func TestFlushIsForced(t *testing.T) {
	t.Parallel()
	s := server(t, unhurried()...)
	c := s.config("a", "a")
	c.IdleInterval = time.Hour
	a := s.open(c)
	s.exec("SELECT nextval('foobar_seq')")
	h := s.next(a)
	began := time.Now()
	_ = h.Finish(t.Context(), errors.New("failed"))
	s.await("done", func() bool { return a.CurrentToken() == 2 })
	if took := time.Since(began); took < forceAfter || took > 3*time.Second {
		t.Errorf("done after %v: want at least %v, and not the WAL writer's 10 s", took, forceAfter)
	}
}

// The sequence is set back under a living allocator.
func TestSequenceSetBackStopsTheAllocator(t *testing.T) {
	t.Parallel()
	s := server(t)
	c := s.config("a", "a")
	c.IdleInterval = time.Hour
	a := s.open(c)
	for range 5 {
		s.write(a)
	}
	s.await("announced", func() bool { return a.CurrentToken() == 5 })
	s.exec("SELECT setval('foobar_seq', 2)")
	if _, err := a.Next(t.Context()); !errors.Is(err, ErrWentBack) {
		t.Fatalf("next after setval: %v", err)
	}
	if _, err := a.Next(t.Context()); !errors.Is(err, ErrWentBack) {
		t.Errorf("it goes on: %v", err)
	}
	if err := a.Wait(t.Context(), 100); !errors.Is(err, ErrWentBack) {
		t.Errorf("waiters are told %v", err)
	}
}

// An idle writer announces that it is idle.
func TestIdleWriterAnnounces(t *testing.T) {
	t.Parallel()
	s := server(t)
	a := s.open(s.config("a"))
	s.exec("SELECT nextval('foobar_seq') FROM generate_series(1, 40)") // somebody else
	s.await("announced", func() bool { return s.stored("a") == 40 })
	s.stays("no further", func() bool { return s.stored("a") == 40 })
	if err := a.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

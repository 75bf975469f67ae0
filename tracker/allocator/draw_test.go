package allocator

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Callers that give up at any moment leave nothing open.
func TestCancelledNextPinsNothing(t *testing.T) {
	t.Parallel()
	s := server(t)
	a := s.open(s.config("a", "a"))
	cancelled, got := 0, 0
	for end := time.Now().Add(patience); cancelled < 200 || got < 20; {
		if time.Now().After(end) {
			t.Fatalf("%d cancelled, %d got: the test shows nothing", cancelled, got)
		}
		// Longer where few come in time, as on a busy machine.
		patience := time.Duration(rand.IntN(300*(1+cancelled/(10*(1+got))))) * time.Microsecond
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		h, err := a.Next(ctx)
		cancel()
		if err != nil {
			cancelled++
			continue
		}
		got++
		_ = h.Finish(t.Context(), nil)
	}
	last := s.write(a)
	s.await("nothing is pinned", func() bool { return a.CurrentToken() == last && len(a.Open()) == 0 })
}

// Sixteen at a time: every id once, in order within a handle, and announcements
// that gather what was finished meanwhile.
func TestConcurrentWritersShareRoundTrips(t *testing.T) {
	t.Parallel()
	s := server(t)
	a := s.open(s.config("a", "a"))
	const writers, each = 16, 60
	var mu sync.Mutex
	seen := map[int64]bool{}
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				h, err := a.NextN(t.Context(), 2)
				if err != nil {
					t.Error(err)
					return
				}
				ids := h.IDs()
				mu.Lock()
				if len(ids) != 2 || !slices.IsSorted(ids) || seen[ids[0]] || seen[ids[1]] {
					t.Errorf("drew %v", ids)
				}
				seen[ids[0]], seen[ids[1]] = true, true
				mu.Unlock()
				_ = h.Finish(t.Context(), nil)
			}
		})
	}
	all.Wait()
	s.await("all announced", func() bool { return s.stored("a") == 2*writers*each })
	stores := a.stores()
	t.Logf("%d announcements for %d writes", stores, writers*each)
	if stores*2 > writers*each {
		t.Errorf("%d announcements for %d writes: finished ids do not gather", stores, writers*each)
	}
}

// Who asks while a draw is under way is served by the next one, all at once.
func TestWaitingCallersShareOneDraw(t *testing.T) {
	t.Parallel()
	s := server(t)
	a := s.open(s.config("a", "a"))
	<-a.lease.turn // no draw begins
	var all sync.WaitGroup
	const callers = 16
	ask := func() {
		if _, err := a.Next(t.Context()); err != nil {
			t.Error(err)
		}
	}
	waiting := func(n int) func() bool {
		return func() bool {
			a.book.mu.Lock()
			defer a.book.mu.Unlock()
			return a.drawing && len(a.requests) == n
		}
	}
	all.Go(ask)
	s.await("the first draw waits for its turn", waiting(0))
	for range callers - 1 {
		all.Go(ask)
	}
	s.await("the others wait behind it", waiting(callers-1))
	a.lease.turn <- struct{}{}
	all.Wait()
	draws := map[time.Time]int{} // what one draw brings is born at once
	a.book.mu.Lock()
	for e := range a.book.entries {
		draws[e.born]++
	}
	a.book.mu.Unlock()
	if len(draws) != 2 {
		t.Errorf("%d draws for %d callers: %v", len(draws), callers, draws)
	}
}

// A handle that is lost is reported, once, and never done.
func TestLostHandleIsReported(t *testing.T) {
	t.Parallel()
	s := server(t)
	c := s.config("a", "a")
	c.HandleWarnAfter = 20 * time.Millisecond
	a := s.open(c)
	id := s.next(a).IDs()[0]
	s.await("reported", func() bool { return s.log.has("was Finish forgotten?") })
	s.stays("never done", func() bool { return a.CurrentToken() < id && s.stored("a") < id })
	open := a.Open()
	if len(open) != 1 || open[0].Age < 20*time.Millisecond || !strings.Contains(open[0].Caller, "site_test.go") {
		t.Errorf("open handles %+v", open)
	}
	err := a.Close(t.Context())
	if err == nil || !strings.Contains(err.Error(), "ids [1] are open") {
		t.Errorf("close says %v", err)
	}
	if _, err := a.Next(t.Context()); err != ErrClosed {
		t.Errorf("next after close: %v", err)
	}
}

func TestDescendingStream(t *testing.T) {
	t.Parallel()
	s := server(t)
	c := s.config("a", "a")
	c.Descending = true
	a := s.open(c)
	h, err := a.NextN(t.Context(), 3)
	if err != nil || !slices.Equal(h.IDs(), []int64{-1, -2, -3}) {
		t.Fatal(h, err)
	}
	s.stays("open", func() bool { return a.CurrentToken() == 0 })
	_ = h.Finish(t.Context(), nil)
	s.await("done", func() bool { return a.CurrentToken() == -3 && s.stored("a") == -3 })
	if n, err := a.MaxAllocated(t.Context()); n != 3 || err != nil {
		t.Error(n, err)
	}
	s.exec("INSERT INTO foobar SELECT -n, 'b' FROM generate_series(1, 7) n")
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := s.open(c) // the rows are ahead of the sequence
	if n := s.next(b).IDs()[0]; n != -8 {
		t.Errorf("drew %d behind rows down to -7", n)
	}
}

// The allocator lives with a pool of one connection that is in use.
func TestBusyPoolOfOne(t *testing.T) {
	t.Parallel()
	s := server(t)
	cfg := s.pool.Config()
	cfg.MaxConns, cfg.MinConns = 1, 0
	s.pool = s.newPool("&pool_max_conns=1")
	a := s.open(s.config("a", "a"))
	err := pgx.BeginFunc(t.Context(), s.pool, func(tx pgx.Tx) error {
		if _, err := a.NextTx(t.Context(), tx); err != nil {
			return err
		}
		h, err := a.Next(t.Context())
		if err != nil {
			return err
		}
		return h.Bind(t.Context(), tx)
	})
	if err != nil {
		t.Fatal(err)
	}
}

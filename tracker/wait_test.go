package tracker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// arrivals collects who has returned from a wait, with what error.
type arrivals struct {
	sync.Mutex
	done map[string]error
}

func (a *arrivals) expect(name string, wait func() error) {
	go func() {
		err := wait()
		a.Lock()
		defer a.Unlock()
		a.done[name] = err
	}()
}

// since returns the names that arrived since the last call, once nothing moves.
func (a *arrivals) since() []string {
	synctest.Wait()
	a.Lock()
	defer a.Unlock()
	var names []string
	for name, err := range a.done {
		if err != nil {
			name += ": " + err.Error()
		}
		names = append(names, name)
	}
	clear(a.done)
	slices.Sort(names)
	return names
}

func (a *arrivals) want(t *testing.T, why string, names ...string) {
	t.Helper()
	if got := a.since(); !slices.Equal(got, names) {
		t.Errorf("%s: arrived %q, want %q", why, got, names)
	}
}

func TestWaitWakesExactlyTheSatisfied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, a := newTracker(t, Config{}), &arrivals{done: map[string]error{}}
		for _, target := range []int64{1, 3, 3, 5, 8} {
			name := fmt.Sprintf("p%d-%d", target, tr.mu.waiters.byTarget.len())
			a.expect(name, func() error { return tr.Wait(t.Context(), target) })
			synctest.Wait()
		}
		a.expect("w6", func() error { return tr.WaitWriter(t.Context(), "w", 6) })
		a.expect("v6", func() error { return tr.WaitWriter(t.Context(), "v", 6) })
		a.want(t, "before any move")
		tr.Observe("w", 3)
		a.want(t, "a gap moves nothing")
		tr.Settle(1)
		a.want(t, "P = 1", "p1-0")
		tr.Observe("w", 2)
		a.want(t, "P = 3", "p3-1", "p3-2")
		tr.Announce("v", 3)
		tr.Announce("w", 6)
		a.want(t, "w alone is at 6", "w6")
		tr.Settle(7)
		a.want(t, "P = 7 covers v too", "p5-3", "v6")
		tr.Settle(math.MaxInt64)
		a.want(t, "the end", "p8-4")
	})
}

func TestWaitDescending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, a := newTracker(t, Config{Descending: true}), &arrivals{done: map[string]error{}}
		for _, target := range []int64{5, 0, -1, -2, -4, math.MinInt64} {
			a.expect(fmt.Sprint(target), func() error { return tr.Wait(t.Context(), target) })
		}
		a.want(t, "at 0", "0", "5")
		tr.Settle(-3)
		a.want(t, "at -3", "-1", "-2")
		tr.Close(nil)
		a.want(t, "closed",
			`-4: wait for position -4 of stream "events": tracker closed`,
			`-9223372036854775808: wait for position -9223372036854775808 of stream "events": tracker closed`)
	})
}

// TestHundredThousandWaiters: each move wakes its own and no other, and all
// that are cancelled are gone.
func TestHundredThousandWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const waiters, cancelled = 100_000, 10_000
		tr := newTracker(t, Config{})
		ctx, cancel := context.WithCancel(t.Context())
		var woken, gone atomic.Int64
		for i := range waiters {
			go func() {
				if tr.Wait(t.Context(), int64(i)+1) == nil {
					woken.Add(1)
				}
			}()
			if i < cancelled {
				go func() {
					if errors.Is(tr.WaitWriter(ctx, "w", int64(i)+1), context.Canceled) {
						gone.Add(1)
					}
				}()
			}
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		if n, held := gone.Load(), tr.mu.waiters.byTarget.len(); n != cancelled || held != waiters || len(tr.mu.waiters.byWriter) != 0 {
			t.Fatalf("%d cancelled, %d held, %d by writer", n, held, len(tr.mu.waiters.byWriter))
		}
		for _, p := range []int64{1, 2, 1000, 1000, 70_000, waiters} {
			tr.Settle(p)
			synctest.Wait()
			if n := woken.Load(); n != p {
				t.Fatalf("%d woken at %d", n, p)
			}
		}
		if kept := cap(tr.mu.waiters.byTarget.slots); kept > 4096 {
			t.Errorf("room for %d waiters kept when all have left", kept)
		}
	})
}

func TestWaitErrorsTellWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTracker(t, Config{})
		deadline, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := tr.Wait(deadline, 5)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), `position 5 of stream "events"`) {
			t.Errorf("timeout: %v", err)
		}
		shutdown := errors.New("shutting down")
		caused, stop := context.WithCancelCause(t.Context())
		stop(shutdown)
		err = tr.WaitWriter(caused, "w", 5)
		if !errors.Is(err, context.Canceled) || !errors.Is(err, shutdown) || !strings.Contains(err.Error(), `writer "w"`) {
			t.Errorf("cancelled with a cause: %v", err)
		}
		tr.Settle(5)
		if err := tr.Wait(caused, 5); err != nil {
			t.Errorf("reached, but: %v", err)
		}
	})
}

// TestCloseFailsPresentAndLater keeps RULES 11: nobody waits on into, or is
// answered from, another epoch's history.
func TestCloseFailsPresentAndLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, epoch := newTracker(t, Config{}), errors.New("the epoch is another")
		tr.Settle(3)
		results := make(chan error, 2)
		go func() { results <- tr.Wait(t.Context(), 9) }()
		go func() { results <- tr.WaitWriter(t.Context(), "w", 9) }()
		synctest.Wait()
		tr.Close(epoch)
		tr.Close(errors.New("later"))
		for _, err := range []error{<-results, <-results, tr.Wait(t.Context(), 9), tr.Wait(t.Context(), 3), tr.WaitWriter(t.Context(), "w", 1)} {
			if !errors.Is(err, epoch) {
				t.Errorf("got %v", err)
			}
		}
		if moved := tr.Settle(10); moved || tr.CurrentToken() != 3 {
			t.Errorf("P = %d after Close, want 3 as before", tr.CurrentToken())
		}
	})
}

// TestFasterMoveBeatsCancel: a waiter released under the lock has arrived,
// though its context ends before it wakes.
func TestFasterMoveBeatsCancel(t *testing.T) {
	tr, w := newTracker(t, Config{}), &waiter{target: 1}
	if waiting, err := tr.enlist(w); !waiting || err != nil {
		t.Fatal(waiting, err)
	}
	tr.Settle(1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tr.abandon(ctx, w); err != nil {
		t.Errorf("reached, but: %v", err)
	}
}

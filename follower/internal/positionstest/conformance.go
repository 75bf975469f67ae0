// Package positionstest holds the tests that every follower of a stream must
// pass, embedded or remote: what a reader relies on is the same for both.
package positionstest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/tracker"
)

// patience is how long a test waits for what should come at once.
const patience = 20 * time.Second

// Stream is what a reader uses of a follower's stream.
type Stream interface {
	tracker.Positions
	// Name of the stream.
	Name() string
	// Epoch is the history that positions belong to.
	Epoch() string
	// WaitFor blocks until the target is reached.
	WaitFor(ctx context.Context, t follower.Target) error
	// Status is everything known of the stream.
	Status() follower.Status
	// Watch has fn called when anything in it has changed.
	Watch(fn func()) (cancel func())
}

// Bed is an ascending stream that is being followed, and what can happen to it.
type Bed struct {
	// Stream is followed by what is tested.
	Stream Stream
	// Insert commits a row of that writer and returns its id.
	Insert func(writer string) int64
	// StartOver deletes all rows and has the ids start over: another epoch.
	StartOver func()
}

// Run runs every test on a bed of its own.
func Run(t *testing.T, open func(*testing.T) Bed) {
	for name, test := range map[string]func(*testing.T, Bed){
		"rows are covered":                  rowsAreCovered,
		"a wait ends with its context":      waitEndsWithContext,
		"a waiter is woken":                 waiterIsWoken,
		"subscribers learn the last move":   subscribersLearnLast,
		"watchers learn of a move":          watchersLearn,
		"status is one piece":               statusIsOnePiece,
		"another epoch fails at once":       otherEpochFails,
		"an epoch that ends fails waiters":  endOfEpochFails,
		"waits and subscribers outlive one": waitsOutliveEpoch,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func (b Bed) within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func (b Bed) reach(t *testing.T, id int64) {
	t.Helper()
	if err := b.Stream.Wait(b.within(t), id); err != nil {
		t.Fatalf("wait for %d: %v: %+v", id, err, b.Stream.Status())
	}
}

// eventually looks again whenever something has changed.
func (b Bed) eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	changed := make(chan struct{}, 1)
	defer b.Stream.Watch(func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	})()
	again := time.NewTicker(50 * time.Millisecond) // times and holders change without a word
	defer again.Stop()
	for ctx := b.within(t); !ok(); {
		select {
		case <-changed:
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within %s: %+v", what, patience, b.Stream.Status())
		}
	}
}

func rowsAreCovered(t *testing.T, b Bed) {
	one, two := b.Insert("a"), b.Insert("b")
	b.reach(t, two)
	if p := b.Stream.CurrentToken(); p < two {
		t.Errorf("position %d after a wait for %d", p, two)
	}
	b.eventually(t, "the writers' positions", func() bool {
		w := b.Stream.Positions()
		return w["a"] == one && w["b"] == two
	})
	if p := b.Stream.CurrentTokenForWriter("a"); p < two {
		t.Errorf("writer a at %d, the stream covers %d", p, two)
	}
	if err := b.Stream.WaitWriter(b.within(t), "b", two); err != nil {
		t.Errorf("wait for writer b: %v", err)
	}
}

func waitEndsWithContext(t *testing.T, b Bed) {
	id := b.Insert("a")
	b.reach(t, id)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- b.Stream.Wait(ctx, id+1000) }()
	go func() { ended <- b.Stream.WaitWriter(ctx, "a", id+1000) }()
	cancel()
	for range 2 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
	if err := b.Stream.Wait(ctx, id); err != nil {
		t.Errorf("what is reached, with a context that has ended: %v", err)
	}
}

func waiterIsWoken(t *testing.T, b Bed) {
	b.reach(t, b.Insert("a"))
	ctx, ended := b.within(t), make(chan error, 1)
	next := b.Stream.CurrentToken() + 1
	go func() { ended <- b.Stream.WaitFor(ctx, follower.Target{Position: next}) }()
	for b.Insert("a") < next { // gaps are allowed
	}
	if err := <-ended; err != nil {
		t.Errorf("wait for %d: %v", next, err)
	}
}

func subscribersLearnLast(t *testing.T, b Bed) {
	var told newest
	cancel := b.Stream.Subscribe(told.take)
	var last int64
	for range 20 {
		last = b.Insert("a")
	}
	b.reach(t, last)
	b.eventually(t, "the last move is told", func() bool { return told.position() >= last })
	cancel()
	calls := told.count()
	b.reach(t, b.Insert("a"))
	if told.count() != calls {
		t.Error("told after cancel")
	}
}

// newest keeps what a subscriber was told last.
type newest struct {
	mu    sync.Mutex
	move  tracker.Move
	calls int
}

func (n *newest) take(m tracker.Move) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.move = m
	n.calls++
}

func (n *newest) position() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.move.Position
}

func (n *newest) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.calls
}

func watchersLearn(t *testing.T, b Bed) {
	b.reach(t, b.Insert("a"))
	changed := make(chan struct{}, 1)
	cancel := b.Stream.Watch(func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	defer cancel()
	id := b.Insert("a")
	for ctx := b.within(t); b.Stream.CurrentToken() < id; {
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("nobody said that %d is covered", id)
		}
	}
}

func statusIsOnePiece(t *testing.T, b Bed) {
	id := b.Insert("a")
	b.reach(t, id)
	b.eventually(t, "allocated is known", func() bool { return b.Stream.Status().AllocatedKnown })
	st := b.Stream.Status()
	if st.Name != b.Stream.Name() || st.State != follower.StateFollowing || st.Reason != "" {
		t.Errorf("%q is %s: %s", st.Name, st.State, st.Reason)
	}
	if !st.Known || st.Position < id || st.Epoch == "" || st.Epoch != b.Stream.Epoch() {
		t.Errorf("position %d, known %t, epoch %q of %q", st.Position, st.Known, st.Epoch, b.Stream.Epoch())
	}
	if st.LSN == 0 || st.Allocated < st.Position || st.LateRows != 0 || st.MovedAt.IsZero() {
		t.Errorf("lsn %s, allocated %d, late rows %d, moved at %s", st.LSN, st.Allocated, st.LateRows, st.MovedAt)
	}
}

func otherEpochFails(t *testing.T, b Bed) {
	b.reach(t, b.Insert("a"))
	err := b.Stream.WaitFor(b.within(t), follower.Target{Position: 1, Epoch: "another"})
	wantEpochError(t, b, err, "another")
}

func wantEpochError(t *testing.T, b Bed, err error, want string) {
	t.Helper()
	var epoch *follower.EpochError
	if !errors.As(err, &epoch) || epoch.Stream != b.Stream.Name() || epoch.Want != want || epoch.Have == want || epoch.Have == "" {
		t.Errorf("%v (%#v), not the error of epoch %q", err, epoch, want)
	}
}

func endOfEpochFails(t *testing.T, b Bed) {
	id := b.Insert("a")
	b.reach(t, id)
	old := b.Stream.Epoch()
	ctx, ended := b.within(t), make(chan error, 1)
	go func() { ended <- b.Stream.WaitFor(ctx, follower.Target{Position: id + 1000, Epoch: old}) }()
	b.StartOver()
	wantEpochError(t, b, <-ended, old)
}

func waitsOutliveEpoch(t *testing.T, b Bed) {
	id := b.Insert("a")
	b.reach(t, id)
	old := b.Stream.Epoch()
	var told newest
	defer b.Stream.Subscribe(told.take)()
	ctx, ended := b.within(t), make(chan error, 1)
	go func() { ended <- b.Stream.Wait(ctx, id+5) }()
	b.StartOver()
	b.eventually(t, "another epoch", func() bool { return b.Stream.Epoch() != old })
	for b.Insert("b") < id+5 {
	}
	if err := <-ended; err != nil {
		t.Errorf("wait across epochs: %v", err)
	}
	b.eventually(t, "moves of the new epoch are told", func() bool { return told.position() >= id+5 })
	if _, still := b.Stream.Positions()["a"]; still {
		t.Error("a writer of the old epoch is still there")
	}
}

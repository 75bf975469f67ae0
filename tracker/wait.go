package tracker

import (
	"context"
	"errors"
	"fmt"
)

// ErrClosed is what waiters get from a tracker closed without a cause.
var ErrClosed = errors.New("tracker closed")

// Wait blocks until the position covers the given one: P >= position, on a
// descending stream P <= position. It returns at once, without a lock, where
// that is so already, whatever ctx says.
//
// The error wraps ctx.Err (and its cause, if it has another one) or the cause
// given to Close. Any goroutine may call it, also a subscriber, whose own
// goroutine then moves nothing while it waits.
func (t *Tracker) Wait(ctx context.Context, position int64) error {
	target := t.inward(position)
	if t.reached(target) {
		return nil
	}
	if err := t.await(ctx, &waiter{target: target}); err != nil {
		return fmt.Errorf("wait for position %d of stream %q: %w", position, t.stream, err)
	}
	return nil
}

// WaitWriter is Wait for one writer: it also returns once that writer's
// announced position, or what VerbComplete said of it, covers the given one,
// though P may not yet.
func (t *Tracker) WaitWriter(ctx context.Context, writer string, position int64) error {
	target := t.inward(position)
	if t.reached(target) {
		return nil
	}
	if err := t.await(ctx, &waiter{target: target, writer: writer, forWriter: true}); err != nil {
		return fmt.Errorf("wait for position %d of writer %q of stream %q: %w", position, writer, t.stream, err)
	}
	return nil
}

// reached reports whether P covers target in a tracker that is not closed. The
// order matters: P is not looked at for an answer once Close has returned.
func (t *Tracker) reached(target int64) bool {
	return !t.closed.Load() && t.inward(t.position.Load()) >= target
}

func (t *Tracker) await(ctx context.Context, w *waiter) error {
	if waiting, err := t.enlist(w); !waiting {
		return err
	}
	select {
	case <-w.ready:
		return w.err
	case <-ctx.Done():
		return t.abandon(ctx, w)
	}
}

// enlist adds the waiter, unless there is nothing to wait for.
func (t *Tracker) enlist(w *waiter) (waiting bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch at := t.mu.writers.covered(w.writer); {
	case t.mu.cause != nil:
		return false, t.mu.cause
	case t.mu.p >= w.target, w.forWriter && at >= w.target:
		return false, nil
	}
	w.ready = make(chan struct{})
	t.mu.waiters.add(w)
	return true, nil
}

// abandon takes a cancelled waiter out at once. A move that was faster counts.
func (t *Tracker) abandon(ctx context.Context, w *waiter) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.mu.waiters.remove(w) {
		return w.err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return context.Cause(ctx)
}

// Close fails every present and later Wait and WaitWriter with the cause (nil:
// ErrClosed), because nothing that was learned here says anything of what
// comes: the follower calls it when the stream's epoch changes (RULES 11).
// Reads still return what was true last; verbs change nothing any more. Only
// the first call counts. Safe from any goroutine.
func (t *Tracker) Close(cause error) {
	if cause == nil {
		cause = ErrClosed
	}
	t.mu.Lock()
	if t.mu.cause == nil {
		t.mu.cause = cause
		t.closed.Store(true)
		t.mu.waiters.fail(cause)
	}
	woken := t.mu.waiters.take()
	t.mu.Unlock()
	woken.wakeAll()
}

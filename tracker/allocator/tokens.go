package allocator

import (
	"context"
	"fmt"

	"github.com/tidemark-pg/tidemark/tracker"
)

// CurrentToken returns the stream's position P, as far as this allocator can
// tell: every row up to it is committed and visible. It takes no lock.
func (a *Allocator) CurrentToken() int64 { return a.tracker.CurrentToken() }

// PersistedUpTo returns P, under the name that the reference gives it.
func (a *Allocator) PersistedUpTo() int64 { return a.tracker.PersistedUpTo() }

// CurrentTokenForWriter returns how far that writer's rows are complete: its
// position or P, whichever is further; P for unknown writers. For this instance
// it is what it announces; of an instance that is no writer, the furthest
// position that it knows of.
func (a *Allocator) CurrentTokenForWriter(writer string) int64 {
	if writer != a.cfg.Instance {
		return a.tracker.CurrentTokenForWriter(writer)
	}
	own := a.announced()
	if !a.cfg.writer() {
		for _, position := range a.Positions() {
			own = max(own, a.cfg.inward(position))
		}
	}
	return a.cfg.outward(max(own, a.cfg.inward(a.tracker.CurrentToken())))
}

func (a *Allocator) announced() int64 {
	a.book.mu.Lock()
	defer a.book.mu.Unlock()
	return a.book.writer.Value()
}

func (a *Allocator) own() int64 {
	a.book.mu.Lock()
	defer a.book.mu.Unlock()
	return a.book.writer.Own()
}

// MinimalLocalToken returns the highest of this instance's ids up to which all
// its ids are done, or where it began; P if it is no writer. It is not moved by
// others, so nobody waits in vain who waits for it.
func (a *Allocator) MinimalLocalToken() int64 {
	if !a.cfg.writer() {
		return a.tracker.CurrentToken()
	}
	return a.cfg.outward(a.own())
}

// Positions returns the position of each known writer: what it announced, and
// for this instance what MinimalLocalToken returns.
func (a *Allocator) Positions() map[string]int64 {
	positions := a.tracker.Positions()
	delete(positions, "") // done ids that are nobody's
	if a.cfg.writer() {
		positions[a.cfg.Instance] = a.MinimalLocalToken()
	}
	return positions
}

// Wait blocks until P covers the position, ctx ends, or the allocator stops.
func (a *Allocator) Wait(ctx context.Context, position int64) error {
	return a.tracker.Wait(ctx, position)
}

// WaitWriter is Wait that also returns once that writer's position covers the
// given one.
func (a *Allocator) WaitWriter(ctx context.Context, writer string, position int64) error {
	return a.tracker.WaitWriter(ctx, writer, position)
}

// Subscribe has every later move told to tell, as tracker.Tracker.Subscribe.
func (a *Allocator) Subscribe(tell func(tracker.Move)) (cancel func()) {
	return a.tracker.Subscribe(tell)
}

// Advance says that another writer's position has arrived by whatever way the
// program tells its processes: every id of that writer up to it is done, and so
// is the id itself. It reports whether P moved. This instance's own name is
// ignored: an echo of it would pass what is open here.
func (a *Allocator) Advance(writer string, id int64) bool {
	if writer == a.cfg.Instance {
		return false
	}
	moved := a.tracker.Advance(writer, id)
	a.noteOther(id)
	return moved
}

// Apply hands on what a follower of the stream has learned: rows observed, and
// positions announced, this instance's own among them, that have come back
// through the slot (RULES 16). It reports whether P moved. Only what is
// committed and visible may be told.
func (a *Allocator) Apply(events []tracker.Event) bool {
	moved := a.tracker.Apply(events)
	for i := range events {
		if events[i].Verb == tracker.VerbAnnounce || events[i].Verb == tracker.VerbAdvance {
			a.noteOther(events[i].To)
		}
	}
	return moved
}

// noteOther makes the loop read the sequence where another writer is further
// than this one: it need not wait for the next idle look.
func (a *Allocator) noteOther(id int64) {
	if !a.cfg.writer() {
		return
	}
	a.book.mu.Lock()
	behind := a.cfg.inward(id) > a.book.writer.Value()
	a.book.behind = a.book.behind || behind
	a.book.mu.Unlock()
	if behind {
		a.wake()
	}
}

// MaxAllocated reads how many ids the sequence has handed out: the highest id
// that anybody may hold. It is positive for descending streams too, as the
// sequence is.
func (a *Allocator) MaxAllocated(ctx context.Context) (int64, error) {
	var last int64
	if err := a.db.pool.QueryRow(ctx, a.db.lastValue).Scan(&last, nil); err != nil {
		return 0, fmt.Errorf("read sequence %s: %w", a.cfg.Sequence, err)
	}
	return last, nil
}

package remote

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/jackc/pglogrepl"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/tracker"
)

// life is a stream in one epoch, and in one direction. A daemon does not tell
// the direction, its ids do: until there is one it is taken to be ascending,
// and when that was wrong, or the epoch changes, the stream begins another life.
type life struct {
	tracker    *tracker.Tracker
	epoch      string
	descending bool
	// known is closed with the first position, directed with the first id,
	// over when the next life begins.
	known, directed, over chan struct{}

	// writers are those that were told of. Run's goroutine has them.
	writers map[string]struct{}

	mu struct {
		sync.Mutex
		// lsn: a server that has it shows every row that P covers.
		lsn                pglogrepl.LSN
		allocated          *int64
		heldBy             []follower.Holder
		movedAt, checkedAt time.Time
	}
}

// errLifeOver fails the waiters of a life that has ended.
var errLifeOver = errors.New("the epoch has ended")

// newLife begins a life. sign is that of its ids: 0 while it is not known.
func newLife(stream, epoch string, sign int) (*life, error) {
	t, err := tracker.New(tracker.Config{Stream: stream, Descending: sign < 0})
	if err != nil {
		return nil, err
	}
	// The daemon tells the position. What writers are known here is not all of
	// them, so their minimum says nothing.
	t.Cap(0)
	l := &life{
		tracker: t, epoch: epoch, descending: sign < 0, writers: make(map[string]struct{}),
		known: make(chan struct{}), directed: make(chan struct{}), over: make(chan struct{}),
	}
	if sign != 0 {
		close(l.directed)
	}
	return l, nil
}

// isClosed reports whether what c stands for has happened.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// end fails every waiter of this life.
func (l *life) end() {
	close(l.over)
	l.tracker.Close(errLifeOver)
}

// wait waits in one life; any error but that of ctx means that it is over.
func (l *life) wait(ctx context.Context, t follower.Target) error {
	if err := l.happened(ctx, l.known); err != nil {
		return err
	}
	if t.Position < 0 {
		// In an ascending stream that is reached at once, in a descending one
		// it is a row that may not be there yet.
		if err := l.happened(ctx, l.directed); err != nil {
			return err
		}
	}
	if t.ByWriter {
		return l.tracker.WaitWriter(ctx, t.Writer, t.Position)
	}
	return l.tracker.Wait(ctx, t.Position)
}

func (l *life) happened(ctx context.Context, c <-chan struct{}) error {
	if isClosed(c) {
		return nil // told even where ctx has ended
	}
	select {
	case <-c:
		return nil
	case <-l.over:
		return errLifeOver
	case <-ctx.Done():
		return ctx.Err()
	}
}

// advance takes a position of this epoch: the furthest counts, whatever order
// daemons tell them in. gone are writers that are no more. It reports whether
// P moved.
func (l *life) advance(p *position, gone []string, now time.Time) (moved bool) {
	moved = l.beyond(p.at, l.tracker.CurrentToken())
	l.mu.Lock()
	// Before P moves: whoever reads the position then finds an LSN that covers
	// it. That of a lesser position may be further, and covers it too.
	l.mu.lsn = max(l.mu.lsn, p.lsn)
	if moved {
		l.mu.movedAt = now
	}
	l.mu.Unlock()
	l.tracker.Apply(append(l.entered(p.writers, gone), tracker.Event{Verb: tracker.VerbSettle, To: p.at}))
	return moved
}

// entered brings the writers up to date; none goes back, as the tracker has it.
func (l *life) entered(told map[string]int64, gone []string) []tracker.Event {
	var events []tracker.Event
	for _, name := range gone {
		delete(l.writers, name)
		events = append(events, tracker.Event{Verb: tracker.VerbForget, Writer: name})
	}
	for name, id := range told {
		l.writers[name] = struct{}{}
		events = append(events, tracker.Event{Verb: tracker.VerbAnnounce, Writer: name, To: id})
	}
	return append(events, l.bounded(told)...)
}

// bounded forgets writers that were not told of now when they become too many.
func (l *life) bounded(told map[string]int64) []tracker.Event {
	if len(l.writers) <= tracker.MaxWriters {
		return nil
	}
	var events []tracker.Event
	maps.DeleteFunc(l.writers, func(name string, _ struct{}) bool {
		_, stays := told[name]
		if !stays {
			events = append(events, tracker.Event{Verb: tracker.VerbForget, Writer: name})
		}
		return !stays
	})
	return events
}

// beyond reports whether a comes after b.
func (l *life) beyond(a, b int64) bool {
	if l.descending {
		return a < b
	}
	return a > b
}

// note keeps what an answer said besides the position.
func (l *life) note(k *look) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k.allocated != nil {
		l.mu.allocated = k.allocated
	}
	l.mu.heldBy = k.heldBy
	if k.movedAt.After(l.mu.movedAt) {
		l.mu.movedAt = k.movedAt
	}
	if k.checkedAt.After(l.mu.checkedAt) {
		l.mu.checkedAt = k.checkedAt
	}
}

// describe fills in everything that belongs to the epoch.
func (l *life) describe(st *follower.Status) {
	if !isClosed(l.known) {
		return
	}
	// Read before the LSN: a position is never shown with too low a one.
	st.Known, st.Epoch, st.Position = true, l.epoch, l.tracker.CurrentToken()
	st.Writers = l.tracker.Positions()
	l.mu.Lock()
	defer l.mu.Unlock()
	st.LSN, st.MovedAt, st.CheckedAt = l.mu.lsn, l.mu.movedAt, l.mu.checkedAt
	if l.mu.allocated == nil {
		return
	}
	// A position tells of its id before the next look does.
	st.AllocatedKnown, st.Allocated = true, st.Position
	if l.beyond(*l.mu.allocated, st.Position) {
		st.Allocated, st.HeldBy = *l.mu.allocated, l.mu.heldBy
	}
}

package tracker

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
)

// Positions is what a reader of one stream needs. A Tracker satisfies it, and
// so does whatever follows a stream on a reader's behalf.
type Positions interface {
	// CurrentToken returns the position P: every row with an id up to it is
	// committed and visible. It never goes back.
	CurrentToken() int64
	// CurrentTokenForWriter returns how far that writer's rows are complete:
	// its own position or P, whichever is further.
	CurrentTokenForWriter(writer string) int64
	// Positions returns the writers' own positions.
	Positions() map[string]int64
	// Wait blocks until P covers the position.
	Wait(ctx context.Context, position int64) error
	// WaitWriter blocks until P or the writer's position covers the position.
	WaitWriter(ctx context.Context, writer string, position int64) error
	// Subscribe has every later move told to tell, conflated, until cancel.
	Subscribe(tell func(Move)) (cancel func())
}

var _ Positions = (*Tracker)(nil)

// Tracker is the state of one stream. All its methods are safe for concurrent
// use; a nil or zero Tracker is not usable, New makes one.
type Tracker struct {
	// position is P as users see it. It has a cache line of its own: whoever
	// polls it shall not be slowed by the lock next to it.
	position atomic.Int64
	_        [56]byte

	closed      atomic.Bool // mu.cause is set
	stream      string
	descending  bool
	subscribers subscriberList

	// mu guards everything that is mirrored: in here ids count 1, 2, … for
	// descending streams too.
	mu struct {
		sync.Mutex
		p         int64 // every id <= p is settled; ahead of published only inside a verb
		published int64 // position, mirrored
		newest    int64 // highest id ever reported done
		capped    bool  // the minimum counts at most up to limit
		limit     int64
		changed   bool // a writer's position changed since the last move was told
		moves     uint64
		runs      runSet // done ids above p
		writers   writerSet
		waiters   waitSet
		cause     error // why it was closed
	}
}

// New returns a tracker at position 0, or an error that names every problem of
// the configuration.
func New(c Config) (*Tracker, error) {
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("configure tracker: %w", err)
	}
	t := &Tracker{stream: strings.Clone(c.Stream), descending: c.Descending}
	t.mu.writers = newWriterSet(c.Writers)
	return t, nil
}

// inward mirrors an id of a descending stream. The least int64 has no mirror
// and no sequence can draw it: it counts as its neighbour.
func (t *Tracker) inward(id int64) int64 {
	if !t.descending {
		return id
	}
	return -max(id, -math.MaxInt64)
}

// outward is the inverse of inward for positions, which are never below 0
// inside.
func (t *Tracker) outward(p int64) int64 {
	if t.descending {
		return -p
	}
	return p
}

// CurrentToken returns the position P: every row of the stream with id <= P
// (>= P on a descending stream) that will ever exist is committed and visible.
// 0 while nothing is settled. It never goes back. It takes no lock and
// allocates nothing.
func (t *Tracker) CurrentToken() int64 { return t.position.Load() }

// PersistedUpTo returns P, under the name that the reference gives it.
func (t *Tracker) PersistedUpTo() int64 { return t.position.Load() }

// CurrentTokenForWriter returns how far the rows of that writer are complete:
// its announced position, what VerbComplete said of it, or P, whichever is
// furthest; P for unknown writers.
func (t *Tracker) CurrentTokenForWriter(writer string) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.outward(max(t.mu.writers.covered(writer), t.mu.published))
}

// MinimalLocalToken returns the writer's own position, which may be behind P:
// what it announced last, else its newest row at or below P, else P.
func (t *Tracker) MinimalLocalToken(writer string) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at, ok := t.mu.writers.own(writer, t.mu.published); ok {
		return t.outward(at)
	}
	return t.outward(t.mu.published)
}

// Positions returns a copy of the writers' own positions: what a writer
// announced last, or, for one that never did, its newest row at or below P.
// The latter is exact while no more than 64 of its rows wait above P; beyond
// that it can be behind, never ahead, until P has passed them. At most the
// MaxWriters that moved most recently are in it.
func (t *Tracker) Positions() map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.mu.writers.positions(t.mu.published)
	positions := make(map[string]int64, len(all))
	for _, w := range all {
		positions[w.name] = t.outward(w.position)
	}
	return positions
}

// Unsettled says what lies beyond P. next is the first id that is not settled;
// newest the furthest id ever reported done (0: none); gap reports whether a
// done id lies beyond P, so that next is missing below it.
func (t *Tracker) Unsettled() (next, newest int64, gap bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := min(t.mu.published, math.MaxInt64-1)
	return t.outward(p + 1), t.outward(t.mu.newest), !t.mu.runs.empty()
}

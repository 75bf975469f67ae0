package allocator

import (
	"fmt"
	"sync"
	"time"
)

// book is the ledger and what goes with it, under one lock that is never held
// during I/O or while foreign code runs.
type book struct {
	cfg Config

	mu       sync.Mutex
	ledger   *ledger
	entries  map[*entry]struct{} // allocations that are not finished
	doubts   []doubt
	left     *drain // what an earlier life left open; nil when nothing
	history  string // the server's history, and life, when the lease was taken
	life     string
	sent     int64 // highest position that was ever sent to be stored
	stored   int64 // highest position known to be stored
	due      bool  // something has happened that is worth storing a position for
	behind   bool  // others are further: the sequence should be read
	failure  error
	told     func(conclusion) // tells the tracker; called without the lock
	upserts  int64
	finishes int64
}

// conclude unlocks, and hands on what has changed.
func (b *book) conclude() {
	c := b.ledger.take()
	if len(c.settled) > 0 {
		b.due = true
	}
	b.mu.Unlock()
	if c.moved || len(c.settled) > 0 {
		b.told(c)
	}
}

func (b *book) recognise(history, life string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.history != "" && b.history != history {
		return fmt.Errorf("system and timeline are %q, not %q: %w", history, b.history, ErrHistory)
	}
	if b.life != "" && b.life != life {
		if err := b.ledger.crashed(); err != nil {
			return err
		}
	}
	b.history, b.life = history, life
	return nil
}

// registration is the position to register with when the sequence has passed
// last: nothing that is still open lies below.
func (b *book) registration(last int64) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if low, ok := b.ledger.open.lowest(); ok {
		last = min(last, low-1)
	}
	return last
}

// start is what beginLife found: RULES 18. Nothing above stored is announced
// until left has ended; a fresh row guards nothing.
func (b *book) start(r reading, stored int64, fresh, ended bool, left *drain) error {
	b.mu.Lock()
	if r.last < b.ledger.known {
		defer b.mu.Unlock()
		return fmt.Errorf("last value %d though %d had been passed: %w", r.last, b.ledger.known, ErrWentBack)
	}
	if again := b.sent > 0; again && stored > b.sent {
		defer b.mu.Unlock()
		return fmt.Errorf("position %d is stored, this process got to %d: %w",
			b.cfg.outward(stored), b.cfg.outward(b.sent), ErrUsurped)
	}
	b.ledger.flush(r.wal.onDisk)
	b.ledger.start(r.last, stored, !ended && !fresh)
	b.left = nil
	if b.ledger.held {
		b.left = left
	}
	b.sent, b.stored = max(b.sent, stored), max(b.stored, stored)
	b.due = true
	b.conclude()
	return nil
}

// entry is one allocation until it is finished.
type entry struct {
	ids    []int64 // as the sequence counts
	born   time.Time
	caller uintptr
	lease  int   // which taking of the lease they were drawn under
	xids   []xid // transactions that may write the ids, where they are known
	inTx   bool  // the ids belong to xids alone: unfinished, the database is asked
	ended  bool  // Finish was called, and the database is to confirm it
	warned bool
}

// finishLocked notes that the write has ended, and that it is known how.
func (b *book) finishLocked(e *entry, now time.Time) {
	if _, ok := b.entries[e]; !ok {
		return
	}
	delete(b.entries, e)
	for _, id := range e.ids {
		b.ledger.finish(id, now)
	}
}

package allocator

import (
	"sync"
	"time"

	"github.com/tidemark-pg/tidemark/tracker/allocator/internal/ledger"
)

// book is the ledger and what goes with it, under one lock that is never held
// during I/O or while foreign code runs.
type book struct {
	cfg Config

	mu       sync.Mutex
	writer   *ledger.Writer
	entries  map[*entry]struct{} // allocations that are not finished
	doubts   []doubt
	left     *drain // what an earlier life left open; nil when nothing
	behind   bool   // others are further: the sequence should be read
	failure  error
	told     func(ledger.Conclusion) // tells the tracker; called without the lock
	stores   int64                   // announcements that were sent
	finishes int64
}

// conclude unlocks, and hands on what has changed.
func (b *book) conclude() {
	c := b.writer.Conclude()
	b.mu.Unlock()
	if c.Moved || len(c.Settled) > 0 {
		b.told(c)
	}
}

func (b *book) recognise(history, life string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.writer.Recognise(history, life)
}

func (b *book) history() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.writer.History()
}

func (b *book) same(history string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.writer.Same(history)
}

func (b *book) sameSequence(sequence string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.writer.SameSequence(sequence)
}

// registration is the position to register with where the lease has been held
// all the while.
func (b *book) registration(r reading) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.writer.Registration(r.last), nil
}

// registers is the position to register with where it has just been taken.
func (b *book) registers(r reading) (value int64, err error) {
	b.mu.Lock()
	value, err = b.writer.Registers(r.last, r.wal.onDisk)
	b.conclude()
	return value, err
}

// begin is what beginLife found: nothing above the stored position is announced
// until left has ended. RULES 18.
func (b *book) begin(l ledger.Life, left *drain) error {
	b.mu.Lock()
	if err := b.writer.Begin(l); err != nil {
		b.mu.Unlock()
		return err
	}
	b.left = nil
	if b.writer.Held() {
		b.left = left
	}
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
		b.writer.Finish(id, now)
	}
}

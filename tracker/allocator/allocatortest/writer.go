// Package allocatortest plays a writer of announced ids without a database: the
// pure half of package allocator, for tests that bring a server of their own.
// What a test asks that server, and when, is what it plays with.
package allocatortest

import (
	"github.com/tidemark-pg/tidemark/tracker"
	"github.com/tidemark-pg/tidemark/tracker/allocator/internal/ledger"
)

type (
	// LSN is a position in the write-ahead log.
	LSN = ledger.LSN
	// Life is what the beginning of a life under a name found.
	Life = ledger.Life
	// Wait waits for the end of the transactions that were open at one moment.
	Wait = ledger.Wait
)

// Writer is what an allocator knows, and what it makes of what it is told. Ids
// count 1, 2, … in its methods, but not in its Tracker. NewWriter makes one.
// It is not safe for concurrent use.
type Writer struct {
	*ledger.Writer
	// Tracker is the stream's position as the allocator sees it.
	Tracker *tracker.Tracker
	// AtOnce: its own position counts before it has come back, which is right
	// only where every writer is listed. RULES 16.
	AtOnce bool

	instance   string
	descending bool
	others     ledger.Others
}

// NewWriter returns the writer of that name, or what is wrong with the
// configuration.
func NewWriter(cfg tracker.Config, instance string) (*Writer, error) {
	t, err := tracker.New(cfg)
	if err != nil {
		return nil, err
	}
	return &Writer{
		Writer: ledger.NewWriter(len(cfg.Writers) > 0), Tracker: t, AtOnce: len(cfg.Writers) > 0,
		instance: instance, descending: cfg.Descending,
	}, nil
}

func (w *Writer) outward(id int64) int64 {
	if w.descending {
		return -id
	}
	return id
}

// Conclude tells the tracker what has changed; it follows on whatever the
// ledger was told.
func (w *Writer) Conclude() {
	c := w.Writer.Conclude()
	w.Tracker.Apply(c.Events(w.instance, w.AtOnce, w.outward))
}

// Load is told of the positions that were read, after last, the sequence's last
// value, and after somebody was seen to write positions, or nobody: in that
// order. RULES 20.
func (w *Writer) Load(last int64, writing bool, positions map[string]int64) {
	if writing {
		w.Tracker.Cap(w.outward(last))
	}
	w.Tracker.Apply(w.others.Read(positions, w.outward))
	if !writing {
		w.Tracker.Uncap()
	}
}

// Observe is told of a visible row.
func (w *Writer) Observe(id int64) { w.Tracker.Observe("", w.outward(id)) }

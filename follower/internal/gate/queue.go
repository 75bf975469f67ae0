// Package gate holds committed transactions back until they are visible.
//
// The server flushes a commit record, which a walsender may send at once, then
// waits for synchronous standbys, and only then makes the transaction visible.
// A row that was decoded may therefore be invisible for as long as a standby is
// missing. (DESIGN fact 1.) So a decoded commit waits in the Queue until a
// snapshot taken later sees it.
//
// Queue and Snapshot are pure; the session that owns them asks the server.
package gate

import (
	"time"

	"github.com/jackc/pglogrepl"
)

// Run is a range of ids that one transaction inserted into one table under one
// writer's name, or a position that it announced.
type Run struct {
	// Table is the caller's number of the table within the stream.
	Table int
	// Stream is the caller's number of the stream.
	Stream int
	// Writer is the instance that wrote the rows.
	Writer string
	// From and To are the first and last id, the one nearer zero first.
	From, To int64
	// Rows counts the rows: several may have one id.
	Rows int
	// Verb says what the run means.
	Verb Verb
}

// Verb says what a Run means.
type Verb uint8

const (
	// Rows were inserted.
	Inserted Verb = iota
	// Announced: To is the writer's position now.
	Announced
	// Withdrawn: the writer has no position any more.
	Withdrawn
)

// Commit is one decoded transaction.
type Commit struct {
	XID uint32
	// LSN is where the commit record starts, End where it ends.
	LSN, End pglogrepl.LSN
	// Time is the commit timestamp of the server's clock.
	Time time.Time
	// Runs are what it did to the streams, in the order it did it.
	Runs []Run
	// Ordered: it concerns an announced stream, and must not pass the gate
	// before an earlier one that does. RULES 16.
	Ordered bool
	// Decoded is when the commit was received.
	Decoded time.Time
}

// Queue holds what was decoded and is not known to be visible, in the order of
// commit. The zero value is empty. It is not safe for concurrent use.
type Queue struct {
	pending []Commit
	runs    int // that pending holds
}

// Add queues a commit; its LSN lies above all that were queued before.
func (q *Queue) Add(c Commit) {
	q.pending = append(q.pending, c)
	q.runs += len(c.Runs)
}

// Len is how many commits wait.
func (q *Queue) Len() int { return len(q.pending) }

// Runs is how many runs the waiting commits hold: their memory.
func (q *Queue) Runs() int { return q.runs }

// Oldest is when the commit that has waited longest was decoded; false where
// nothing waits.
func (q *Queue) Oldest() (time.Time, bool) {
	if len(q.pending) == 0 {
		return time.Time{}, false
	}
	return q.pending[0].Decoded, true
}

// Clear removes what the snapshot sees, appends it to into in order of commit,
// and returns that. Each transaction passes by itself: one that waits for a
// standby does not hold back others, unless both are Ordered.
func (q *Queue) Clear(s Snapshot, into []Commit) []Commit {
	kept := q.pending[:0]
	blocked := false
	for _, c := range q.pending {
		if s.Visible(c.XID) && !(c.Ordered && blocked) {
			into = append(into, c)
			q.runs -= len(c.Runs)
			continue
		}
		blocked = blocked || c.Ordered
		kept = append(kept, c)
	}
	clear(q.pending[len(kept):])
	q.pending = kept
	return into
}

// Confirmable is the position up to which the slot may forget, where all WAL
// up to received has been decoded: the start of the oldest commit that has not
// passed. RULES 2.
func (q *Queue) Confirmable(received pglogrepl.LSN) pglogrepl.LSN {
	if len(q.pending) == 0 {
		return received
	}
	return min(received, q.pending[0].LSN)
}

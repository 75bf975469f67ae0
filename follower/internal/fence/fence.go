// Package fence finds out, from the sequence and the locks on it, up to which
// id a stream is settled.
//
// nextval holds RowExclusiveLock on its sequence until the top-level
// transaction ends, and the lock goes only after the transaction has become
// visible. So: read the sequence's last value L, then, in a later statement,
// the holders H of that lock. Once every holder in H has ended, every id ≤ L is
// committed and visible, or dead. That pair is a fence. It needs no timeout
// and nothing from the writers, and transactions that never touched the
// sequence cannot hold it back.
//
// The package has two halves. Line and Pace are pure: readings go in, settled
// ids and pauses come out. Prober is the SQL that takes readings.
package fence

import (
	"slices"
	"time"

	"github.com/jackc/pglogrepl"

	"github.com/tidemark-pg/tidemark/follower/internal/wal"
)

// Sequence is the identity of a sequence: both change when ids start over
// under the same name (DROP and CREATE, TRUNCATE … RESTART IDENTITY). RULES 4.
type Sequence struct {
	OID      uint32
	Filenode uint32
}

// VXID names a transaction that holds a lock: pg_locks.virtualtransaction. It
// is kept through PREPARE TRANSACTION, where the pid is lost.
type VXID struct {
	Backend int32
	Local   uint32
}

// Ended reports whether the transaction has already left: its lock stands only
// because it is being released. Its rows are visible. RULES 5.
func (v VXID) Ended() bool { return v.Local == 0 }

// Holder is one transaction that holds the sequence's lock.
type Holder struct {
	VXID VXID
	PID  int32 // 0: a prepared transaction
}

// Reading is what one probe saw of one stream.
type Reading struct {
	Sequence Sequence
	// Last is the newest id that had been drawn, 0 if none.
	Last int64
	// Drawn is an insert position of the WAL read after Last: once it is
	// flushed, no crash takes ids ≤ Last back. (DESIGN fact 4.)
	Drawn pglogrepl.LSN
	// Holders of the sequence's lock, read in a statement after Last.
	Holders []Holder
	// Seen is the insert position read after Holders: whatever had ended by
	// then has its commit record below it. RULES 8.
	Seen pglogrepl.LSN
	// Flushed is how far the WAL was on disk, read after Holders.
	Flushed pglogrepl.LSN
	// At is when the probe began.
	At time.Time
}

// Settled is a fence that is done: every id ≤ UpTo is settled, and no crash of
// the server can hand one of them out again.
type Settled struct {
	UpTo int64
	// Drawn is the WAL position up to which this was found out.
	Drawn pglogrepl.LSN
	// Seen: a row with id ≤ UpTo whose commit ends beyond it is late. RULES 8.
	Seen pglogrepl.LSN
}

// post is one standing fence.
type post struct {
	probe uint64 // number of the probe that made it
	upTo  int64
	drawn pglogrepl.LSN
	at    time.Time // when the oldest fence merged into it was made
	seen  pglogrepl.LSN
	done  bool // every holder has ended; only the flush is missing
}

// Line is the row of standing fences of one stream, oldest first.
//
// A transaction stands in the way of every fence made since it was first seen
// and of none before. So it is enough to know, for each holder, the number of
// the first probe that saw it; and of two fences with no such number between
// them the older says nothing that the younger does not.
//
// The zero value has no fence. A Line is not safe for concurrent use. It must
// be dropped with the session that made its readings: after a crash a prepared
// transaction holds the lock under another VXID.
type Line struct {
	probe   uint64
	first   map[VXID]uint64 // holders of the last reading, by the probe that first saw them
	spare   map[VXID]uint64 // the map before, to be filled next
	starts  []uint64        // the values of first, ascending
	posts   []post
	last    int64
	settled int64
}

// Add takes the next reading and returns the newest fence that is now done.
// The second result is false where nothing new is settled.
func (l *Line) Add(r Reading, g wal.Geometry) (Settled, bool) {
	l.probe++
	if r.Last < l.last {
		// The sequence was set back: ids above it will be drawn again, so
		// what was to be settled about them is void.
		l.truncate(r.Last)
	}
	l.last = r.Last
	oldest := l.meet(r.Holders)
	if r.Last > l.settled && r.Last > l.newest() {
		l.posts = append(l.posts, post{probe: l.probe, upTo: r.Last, drawn: r.Drawn, at: r.At})
	}
	l.finish(oldest, r.Seen)
	l.merge()
	return l.take(r.Flushed, g)
}

// newest is the id up to which the youngest fence stands.
func (l *Line) newest() int64 {
	if len(l.posts) == 0 {
		return 0
	}
	return l.posts[len(l.posts)-1].upTo
}

// meet notes who holds the lock now and returns the number of the first probe
// that saw the longest-standing of them; without holders, one beyond this probe.
func (l *Line) meet(holders []Holder) uint64 {
	now := l.spare
	if now == nil {
		now = make(map[VXID]uint64, len(holders))
	}
	clear(now)
	l.starts = l.starts[:0]
	for _, h := range holders {
		if h.VXID.Ended() {
			continue
		}
		seen, known := l.first[h.VXID]
		if !known {
			seen = l.probe
		}
		if _, twice := now[h.VXID]; !twice {
			now[h.VXID] = seen
			l.starts = append(l.starts, seen)
		}
	}
	l.first, l.spare = now, l.first
	slices.Sort(l.starts)
	if len(l.starts) == 0 {
		return l.probe + 1
	}
	return l.starts[0]
}

// finish marks the fences made before the oldest holder was first seen.
func (l *Line) finish(oldest uint64, seen pglogrepl.LSN) {
	for i := range l.posts {
		p := &l.posts[i]
		if p.probe < oldest && !p.done {
			p.done, p.seen = true, seen
		}
	}
}

// merge drops each standing fence that ends together with the one after it:
// no holder was first seen between the two.
func (l *Line) merge() {
	kept := l.posts[:0]
	next := 0 // the first of starts beyond the fence looked at
	for i, p := range l.posts {
		for next < len(l.starts) && l.starts[next] <= p.probe {
			next++
		}
		youngest := i+1 == len(l.posts)
		if !youngest && !p.done && (next == len(l.starts) || l.starts[next] > l.posts[i+1].probe) {
			l.posts[i+1].at = p.at
			continue
		}
		kept = append(kept, p)
	}
	l.posts = kept
}

// maxUnflushed bounds how many done fences wait for their flush one by one.
const maxUnflushed = 64

// take removes the done fences that are flushed and returns the newest.
func (l *Line) take(flushed pglogrepl.LSN, g wal.Geometry) (Settled, bool) {
	var s Settled
	found := false
	kept := l.posts[:0]
	for _, p := range l.posts {
		if p.done && g.Reached(flushed, p.drawn) {
			l.settled = p.upTo
			s, found = Settled{UpTo: p.upTo, Drawn: p.drawn, Seen: p.seen}, true
			continue
		}
		if p.done && len(kept) >= maxUnflushed {
			p.at = kept[len(kept)-1].at
			kept[len(kept)-1] = p
			continue
		}
		kept = append(kept, p)
	}
	l.posts = kept
	return s, found
}

// truncate voids every fence above last.
func (l *Line) truncate(last int64) {
	kept := l.posts[:0]
	for _, p := range l.posts {
		if p.upTo <= last {
			kept = append(kept, p)
		}
	}
	l.posts = kept
	l.settled = min(l.settled, last)
}

// Passed drops the fences that rows have made needless: the position is p.
func (l *Line) Passed(p int64) {
	n := 0
	for n < len(l.posts) && l.posts[n].upTo <= p {
		n++
	}
	l.posts = append(l.posts[:0], l.posts[n:]...)
	l.settled = max(l.settled, min(p, l.last))
}

// Since is when the oldest id that is not settled was first seen drawn; zero
// when nothing stands.
func (l *Line) Since() time.Time {
	if len(l.posts) == 0 {
		return time.Time{}
	}
	return l.posts[0].at
}

// Unflushed reports whether a fence waits for nothing but the WAL's flush, and
// for which position.
func (l *Line) Unflushed() (pglogrepl.LSN, bool) {
	for i := len(l.posts) - 1; i >= 0; i-- {
		if l.posts[i].done {
			return l.posts[i].drawn, true
		}
	}
	return 0, false
}

package follower

import (
	"slices"
	"time"

	"github.com/jackc/pglogrepl"

	"github.com/tidemark-pg/tidemark/follower/internal/fence"
	"github.com/tidemark-pg/tidemark/follower/internal/gate"
	"github.com/tidemark-pg/tidemark/tracker"
)

// settle publishes what a fence found out. at is when.
func (l *life) settle(f fence.Settled, at time.Time) (moved bool) {
	l.mu.Lock()
	// Before P moves: whoever reads the position then finds an LSN that covers
	// it, and a row that is late is recognised from the first moment on.
	l.mu.lsn = max(l.mu.lsn, f.Seen)
	l.mu.flushed = max(l.mu.flushed, f.Drawn)
	l.mu.at = at
	l.mu.audit.published(f.UpTo, f.Seen)
	l.mu.Unlock()
	moved = l.tracker.Settle(l.of.outward(f.UpTo))
	l.become()
	if moved {
		l.moved(at)
	}
	return moved
}

// become makes the position known: the first fence is done.
func (l *life) become() {
	l.knownOnce.Do(func() {
		p := l.position()
		l.mu.Lock()
		if l.mu.floor < 0 {
			l.mu.floor = p
		}
		l.mu.Unlock()
		close(l.known)
		l.of.update(func(c *condition) { c.known = l.of.life.Load() == l })
		l.of.tell() // the move came first, and the state may be what it was
	})
}

// becomeAt is become where nothing has moved the position: with the WAL position
// at which that was found out, for known positions have one.
func (l *life) becomeAt(seen pglogrepl.LSN) {
	l.mu.Lock()
	if l.mu.lsn == 0 {
		l.mu.lsn = seen
	}
	l.mu.Unlock()
	l.become()
}

// position is P, counted away from zero.
func (l *life) position() int64 { return l.of.inward(l.tracker.CurrentToken()) }

// moved notes that P has moved.
func (l *life) moved(at time.Time) {
	l.of.moves.Add(1)
	p := l.position()
	l.mu.Lock()
	l.mu.movedAt, l.mu.position = at, p
	if l.mu.allocated <= p {
		if l.mu.allocated >= 0 {
			l.mu.allocated = p // a row tells of its id before the next probe does
		}
		l.mu.unsettled, l.mu.holders, l.mu.heldBy = time.Time{}, nil, nil
	}
	l.mu.Unlock()
	l.report(at)
}

// report tells how long the commits that P covers by now took to be published.
func (l *life) report(at time.Time) {
	if l.of.published == nil {
		return
	}
	p := l.position()
	l.mu.Lock()
	due := l.mu.unreported.upTo(p)
	l.mu.Unlock()
	for _, committed := range due {
		l.of.published(l.of.name, at.Sub(committed))
	}
}

// visible takes the stream's part of a batch that passed the gate; seen is an
// insert position of the WAL read after. It reports whether the fence should
// look: ids are missing below what was observed. One goroutine calls it.
func (l *life) visible(commits []gate.Commit, stream int, seen pglogrepl.LSN, now time.Time, readers *readers) (look bool) {
	l.events, l.xids = l.events[:0], l.xids[:0]
	for i := range commits {
		l.take(&commits[i], stream)
	}
	look = l.suspects()
	b := batch{events: l.events, xids: l.xids, end: commits[len(commits)-1].End, seen: seen, at: now}
	switch {
	case len(l.events) == 0:
	case readers != nil:
		b.events, b.xids = slices.Clone(b.events), slices.Clone(b.xids)
		readers.publish(outgoing{life: l, need: b.end, size: len(b.events), apply: func() bool { return l.observe(b) }})
	default:
		look = l.observe(b) || look
		clear(l.events)
	}
	return look
}

// batch is a stream's part of what passed the gate at once.
type batch struct {
	events []tracker.Event
	xids   []uint32      // the transaction of each VerbAnnounce and VerbForget, in order
	end    pglogrepl.LSN // of the last commit record
	seen   pglogrepl.LSN // an insert position read after all were visible
	at     time.Time
}

// observe publishes what rows and announcements tell. It reports whether ids
// are missing below what was observed.
func (l *life) observe(b batch) (gap bool) {
	l.mu.Lock()
	l.mu.at = b.at
	l.mu.Unlock()
	if l.apply(b) {
		l.mu.Lock()
		l.mu.audit.published(l.position(), b.seen)
		l.mu.Unlock()
		l.moved(b.at)
	} else {
		l.report(b.at) // the fence was faster
	}
	_, _, gap = l.tracker.Unsettled()
	return gap
}

// apply gives a batch to the tracker, and reports whether P moved.
func (l *life) apply(b batch) (moved bool) {
	if !l.of.announced() {
		return l.tracker.Apply(b.events)
	}
	l.applying.Lock()
	defer l.applying.Unlock()
	l.admit(b)
	return l.tracker.Apply(b.events)
}

// take turns a commit's runs of this stream into events for the tracker, and
// audits them.
func (l *life) take(c *gate.Commit, stream int) {
	newest := int64(0)
	for i := range c.Runs {
		r := &c.Runs[i]
		if r.Stream != stream {
			continue
		}
		verb := tracker.VerbObserve
		switch r.Verb {
		case gate.Inserted:
			l.inspect(c, r)
			if c.End <= l.born {
				continue
			}
			newest = max(newest, l.of.inward(r.To))
		case gate.Announced:
			verb = tracker.VerbAnnounce
			l.xids = append(l.xids, c.XID)
		case gate.Withdrawn:
			verb = tracker.VerbForget
			l.xids = append(l.xids, c.XID)
		}
		l.events = append(l.events, tracker.Event{Verb: verb, Writer: r.Writer, From: r.From, To: r.To})
	}
	if newest > 0 && l.of.published != nil {
		l.mu.Lock()
		l.mu.unreported.add(newest, c.Time)
		l.mu.Unlock()
	}
}

// inspect audits one run, and notes the WAL position of its commit before the
// position can move.
func (l *life) inspect(c *gate.Commit, r *gate.Run) {
	s := l.of
	s.rows.Add(uint64(r.Rows))
	l.mu.Lock()
	l.mu.lsn = max(l.mu.lsn, c.End)
	l.mu.flushed = max(l.mu.flushed, c.End)
	late := l.mu.audit.late(s.inward(r.From), c.End)
	l.mu.Unlock()
	if late && !l.isOver() { // the next life's rows are no news to this one's promises
		l.suspect(lateRow{
			table: s.cfg.Tables[r.Table].Name, writer: r.Writer, id: r.From, rows: uint64(r.Rows), xid: c.XID,
		})
	}
}

// reading notes what a probe saw: how far ids are drawn, and who may hold
// them. waiting is since when something waits for a standby, the zero time where
// nothing does. It reports whether some are not settled.
func (l *life) reading(last int64, line *fence.Line, waiting time.Time, holders []fence.Holder, at time.Time) (unsettled bool) {
	p := l.position()
	line.Passed(p)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.allocated, l.mu.checkedAt = last, at
	if last <= p {
		l.mu.unsettled, l.mu.holders, l.mu.heldBy = time.Time{}, nil, nil
		return false
	}
	l.mu.unsettled = line.Since()
	if since := l.mu.unsettled; !waiting.IsZero() && (since.IsZero() || waiting.Before(since)) {
		l.mu.unsettled = waiting
	}
	l.mu.holders = append(l.mu.holders[:0], holders...)
	return true
}

// drawn notes how far the ids of an announced stream are drawn: the fence does
// not settle them.
func (l *life) drawn(last int64, at time.Time) {
	p := l.position()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.allocated, l.mu.checkedAt = last, at
	switch {
	case last <= p:
		l.mu.unsettled, l.mu.heldBy = time.Time{}, nil
	case l.mu.unsettled.IsZero():
		l.mu.unsettled = at
	}
}

// startOver begins another life: the history of the primary has changed, or the
// ids have started over. Waiters that named the old epoch fail at once.
// Rows above floor belong to it, and those of commits that end beyond born.
func (s *Stream) startOver(epoch string, floor int64, born pglogrepl.LSN) error {
	next, err := newLife(s, epoch, floor)
	if err != nil {
		return err
	}
	next.born, next.mu.lsn = born, born // what is kept has an LSN from the first moment on
	s.audience.Enter(next.tracker)
	old := s.life.Swap(next)
	old.end()
	s.update(func(c *condition) { c.known = false })
	s.tell()
	return nil
}

// delays remembers when rows above the position were committed, to tell how
// long they took to be published. It is bounded: under a position that is held
// back for long the first ones tell enough.
type delays struct {
	waiting []committed
}

type committed struct {
	id int64
	at time.Time
}

const maxDelays = 4096

func (d *delays) add(id int64, at time.Time) {
	if len(d.waiting) < maxDelays {
		d.waiting = append(d.waiting, committed{id, at})
	}
}

// upTo removes and returns the commit times of what p covers.
func (d *delays) upTo(p int64) []time.Time {
	var due []time.Time
	kept := d.waiting[:0]
	for _, c := range d.waiting {
		if c.id <= p {
			due = append(due, c.at)
			continue
		}
		kept = append(kept, c)
	}
	d.waiting = kept
	return due
}

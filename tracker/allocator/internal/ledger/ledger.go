// Package ledger is what an instance knows of the ids that it draws ahead of
// the transactions that write them, and what it may announce. It is pure:
// inputs are methods, conclusions are data, time is an argument. Whoever asks
// the server, and in which order, is not in here; package allocator is.
//
// Ids count 1, 2, … in here, for descending streams too. Nothing is safe for
// concurrent use.
package ledger

import (
	"container/heap"
	"errors"
	"fmt"
	"time"
)

// ErrWentBack is why an allocator stops when the sequence has handed out an id
// that it had handed out before: after a crash that lost nextval's WAL, a
// setval, or a restored backup. Nothing that this allocator knows of later ids
// holds any more: close it and open another one, which reads everything anew.
// RULES 17.
var ErrWentBack = errors.New("the sequence went back: close this allocator and open it again")

// Ledger is what an instance knows of its own ids, and what follows from that:
// which are done, and what may be announced. New makes one.
//
// What must hold of value (RULES 17), announced as "every id of mine up to it
// is done":
//
//	value = min(known, lowest open - 1, lowest floor, hold)
//
// where an id is open until it is finished and its nextval is flushed, and
// known and the floors count only what is flushed. It never falls, because
// whatever is drawn later lies above known.
type Ledger struct {
	flushed LSN   // WAL up to here is on disk
	known   int64 // the sequence has passed it, and that is on disk
	seen    int64 // the sequence has passed it: no draw may return it again

	open    openSet
	waiting flushHeap // finished, but their nextval is not known to be flushed
	marks   []mark    // sequence values not known to be flushed, in order
	floors  map[int]floor
	fetches int // counts, to name the floors

	drawn int64 // highest own id
	sure  int64 // highest own id that is known to be on disk
	own   int64 // highest own done id below everything that is not
	hold  int64 // while held: what an earlier life had announced
	held  bool  // an earlier life may still have something open (RULES 18)

	settled []int64 // ids done since the last Take
	told    int64   // value as of the last Take
}

// mark says that the sequence had passed value when the WAL stood at at.
type mark struct {
	at      LSN
	value   int64
	drawn   bool // an own id
	awaited bool // somebody waits for it, since then
	since   time.Time
}

// floor is what nothing may pass while a fetch is under way.
type floor struct {
	known int64 // the sequence had passed it when the fetch began
	own   int64 // highest own id up to there
}

// New returns the ledger of an instance that has drawn nothing.
func New() *Ledger {
	return &Ledger{open: newOpenSet(), floors: make(map[int]floor)}
}

// Start begins a life, or goes on with one after its lease was lost: the
// sequence had passed last, which is on disk, and an earlier life had announced
// stored. held keeps what is announced at stored until Release. RULES 18.
func (l *Ledger) Start(last, stored int64, held bool) {
	l.known = max(l.known, last)
	l.seen = max(l.seen, last)
	l.hold = max(min(stored, l.known), l.told)
	l.held = held
	l.own = max(l.own, l.valueNow())
}

// Release says that whatever an earlier life had open has ended.
func (l *Ledger) Release() {
	l.held = false
	l.own = max(l.own, l.valueNow())
}

// BeginFetch notes that ids are about to be drawn and returns the fetch's
// name. Until EndFetch or DropFetch nothing may pass what is known now: an id
// drawn meanwhile may be the very next.
func (l *Ledger) BeginFetch() int {
	l.fetches++
	l.floors[l.fetches] = floor{known: l.known, own: l.sure}
	return l.fetches
}

// EndFetch notes what a fetch drew (nothing, if it failed) and where the WAL
// stood afterwards. ErrWentBack if the sequence had handed out such an id
// before: then nothing is noted.
func (l *Ledger) EndFetch(fetch int, ids []int64, at LSN) error {
	passed := max(l.floors[fetch].known, l.seen)
	for _, id := range ids {
		if id <= passed {
			return fmt.Errorf("id %d was drawn though %d had been passed: %w", id, passed, ErrWentBack)
		}
		passed = id
	}
	for _, id := range ids {
		l.open.add(id, at, l.drawn)
		l.seen, l.drawn = id, id
	}
	if len(ids) > 0 {
		l.note(mark{at: at, value: l.seen, drawn: true})
	}
	delete(l.floors, fetch)
	return nil
}

// DropFetch notes that nothing came of a fetch: what the server may have drawn
// for it never reaches anybody.
func (l *Ledger) DropFetch(fetch int) { delete(l.floors, fetch) }

// Read notes a reading of the sequence, made when the WAL stood at at or
// before, and after every draw that has been noted.
func (l *Ledger) Read(last int64, at LSN, now time.Time) error {
	if last < l.known {
		return fmt.Errorf("last value %d though %d had been passed: %w", last, l.known, ErrWentBack)
	}
	if last > l.seen {
		l.seen = last
		l.note(mark{at: at, value: last, awaited: true, since: now})
		return nil
	}
	// A draw has told as much, and its flush has not been seen yet: now that
	// somebody has asked, it is waited for.
	for i := range l.marks {
		if m := &l.marks[i]; !m.awaited {
			m.awaited, m.since = true, now
		}
	}
	return nil
}

func (l *Ledger) note(m mark) {
	if m.at <= l.flushed {
		l.pass(m)
		return
	}
	l.marks = append(l.marks, m)
}

// pass notes that a mark is on disk.
func (l *Ledger) pass(m mark) {
	l.known = max(l.known, m.value)
	if m.drawn {
		l.sure = max(l.sure, m.value)
	}
}

// Finish notes that the write of an id has ended, whichever way.
func (l *Ledger) Finish(id int64, now time.Time) {
	o := l.open.byID[id]
	switch {
	case o == nil:
	case o.at <= l.flushed:
		l.complete(id)
	default:
		heap.Push(&l.waiting, unflushed{at: o.at, id: id, since: now})
	}
}

// complete notes that an id is done.
func (l *Ledger) complete(id int64) {
	l.open.remove(id)
	l.settled = append(l.settled, id)
}

// Flush notes that the WAL is on disk up to at.
func (l *Ledger) Flush(at LSN) {
	l.flushed = max(l.flushed, at)
	n := 0
	for n < len(l.marks) && l.marks[n].at <= l.flushed {
		l.pass(l.marks[n])
		n++
	}
	l.marks = l.marks[n:]
	if len(l.marks) == 0 {
		l.marks = nil
	}
	for len(l.waiting) > 0 && l.waiting[0].at <= l.flushed {
		if id := heap.Pop(&l.waiting).(unflushed).id; l.open.byID[id] != nil { // finished once
			l.complete(id)
		}
	}
}

// Crashed notes that the server may have lost what was not flushed. An own id
// among that may be handed out again, to anybody: ErrWentBack.
func (l *Ledger) Crashed() error {
	for _, m := range l.marks {
		if m.drawn {
			return fmt.Errorf("the server started anew before the draw of id %d was known to be on disk: %w", m.value, ErrWentBack)
		}
	}
	l.marks, l.seen = nil, l.known
	return nil
}

// Awaits returns the time since which something waits for a flush, and whether
// anything does.
func (l *Ledger) Awaits() (since time.Time, ok bool) {
	if len(l.waiting) > 0 {
		since, ok = l.waiting[0].since, true
	}
	for _, m := range l.marks {
		if m.awaited && (!ok || m.since.Before(since)) {
			since, ok = m.since, true
		}
	}
	return since, ok
}

// Value is what may be announced, as of the last Take.
func (l *Ledger) Value() int64 { return l.told }

// Own is the highest own id below everything that is not done or may be drawn,
// or where the instance began.
func (l *Ledger) Own() int64 { return l.own }

// Known is the value that the sequence is known to have passed, on disk.
func (l *Ledger) Known() int64 { return l.known }

// Held reports whether an earlier life of the name may still have something
// open. RULES 18.
func (l *Ledger) Held() bool { return l.held }

// valueNow is what may be announced.
func (l *Ledger) valueNow() int64 {
	v := l.known
	if low, ok := l.open.lowest(); ok {
		v = min(v, low-1)
	}
	for _, floor := range l.floors {
		v = min(v, floor.known)
	}
	if l.held {
		v = min(v, l.hold)
	}
	return v
}

// Take returns what has changed since the last Take.
func (l *Ledger) Take() Conclusion {
	l.advance()
	c := Conclusion{Settled: l.settled, Value: max(l.told, l.valueNow())}
	l.settled = nil
	c.Moved = c.Value > l.told
	l.told = c.Value
	return c
}

// advance raises own to the highest done id below everything that is not done
// or may be drawn: the one before the lowest that is open.
func (l *Ledger) advance() {
	own := l.drawn
	if l.open.first != nil {
		own = l.open.first.before
	}
	for _, floor := range l.floors {
		own = min(own, floor.own)
	}
	l.own = max(l.own, own)
}

// unflushed is a finished id whose nextval is not known to be on disk.
type unflushed struct {
	at    LSN
	id    int64
	since time.Time
}

// flushHeap holds them in the order in which the WAL is flushed.
type flushHeap []unflushed

func (h flushHeap) Len() int           { return len(h) }
func (h flushHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h flushHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push and Pop are for package heap only.
func (h *flushHeap) Push(x any) { *h = append(*h, x.(unflushed)) }

// Pop is for package heap only.
func (h *flushHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

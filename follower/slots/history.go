package slots

import (
	"time"
)

// remembered is how long the course of the WAL is kept, and rateWindow over
// how much of it the present rate is taken.
const (
	remembered = 10 * time.Minute
	rateWindow = time.Minute
	spacing    = remembered / 1024
)

// History judges samples of one server that are given one after the other. The
// zero value is ready for use and has the default Thresholds. It is not safe
// for concurrent use.
type History struct {
	// Thresholds are the limits of the verdicts. They may be changed between
	// two samples.
	Thresholds Thresholds

	system, timeline string
	points           []point
	slots            map[string]*track
	opened           map[string]time.Time // by transaction id, when first seen
}

// point is where writing stood at a moment.
type point struct {
	at  time.Time
	wal LSN
}

// track is what is remembered of a slot.
type track struct {
	pid       *int32
	confirmed *LSN
	restart   *LSN

	// progress is when something was last confirmed, or the consumer changed,
	// or the slot was first seen; wal is where writing stood then.
	progress time.Time
	wal      LSN
	// longer tells that it may have been before: the first sample found it so.
	longer bool

	// pending is since when there has been WAL to confirm, without any of it
	// being confirmed; zero where there is none.
	pending time.Time

	// idle is, by the server's clock, when the slot was first seen without a
	// consumer and without having moved; zero while it has one. idleLonger is
	// to idle what longer is to progress.
	idle       time.Time
	idleLonger bool
}

// Add takes a sample that was taken at now, and returns the verdicts. now must
// not go back; it is compared with that of other samples only, while times that
// the server tells are compared with the sample's own. A sample of another
// history, or one in which the WAL has gone back, starts over. The result is
// the caller's.
func (h *History) Add(now time.Time, s Sample) Report {
	h.limitToOneServer(s)
	h.addPoint(point{now, s.WAL})
	h.trackSlots(now, s)
	open := h.trackTransactions(now, s)
	r := Report{Time: s.Time, WAL: s.WAL, Slots: []Slot{}}
	if rate, ok := h.rate(); ok {
		r.WALBytesPerSecond = &rate
	}
	for i := range s.Slots {
		r.Slots = append(r.Slots, h.condition(now, &s, &s.Slots[i], open, r.WALBytesPerSecond).result())
	}
	return r
}

func (h *History) limitToOneServer(s Sample) {
	same := s.System == h.system && s.Timeline == h.timeline
	back := len(h.points) > 0 && s.WAL < h.points[len(h.points)-1].wal
	if same && !back {
		return
	}
	h.system, h.timeline = s.System, s.Timeline
	h.points, h.slots, h.opened = nil, nil, nil
}

// addPoint keeps no more points than needed: of those close together the last.
func (h *History) addPoint(p point) {
	for len(h.points) > 2 && p.at.Sub(h.points[1].at) > remembered {
		h.points = h.points[1:]
	}
	if n := len(h.points); n >= 2 && p.at.Sub(h.points[n-2].at) < spacing {
		h.points[n-1] = p
		return
	}
	h.points = append(h.points, p)
}

// rate is how many bytes of WAL a second have been written in the last
// rateWindow, as far as it was watched; false while there is but one sample.
func (h *History) rate() (float64, bool) {
	last := len(h.points) - 1
	to := h.points[last]
	for i, from := range h.points[:last] {
		if to.at.Sub(from.at) <= rateWindow || i == last-1 {
			passed := to.at.Sub(from.at).Seconds()
			return float64(to.wal.from(from.wal)) / passed, passed > 0
		}
	}
	return 0, false
}

// writtenSince is how long ago the WAL was first seen beyond lsn; 0 if it is not.
func (h *History) writtenSince(now time.Time, lsn LSN) time.Duration {
	for _, p := range h.points {
		if p.wal > lsn {
			return now.Sub(p.at)
		}
	}
	return 0
}

func (h *History) trackSlots(now time.Time, s Sample) {
	tracks := make(map[string]*track, len(s.Slots))
	for i := range s.Slots {
		slot := &s.Slots[i]
		t := h.slots[slot.Name]
		if t == nil || t.remade(slot) {
			t = &track{}
		}
		t.update(now, &s, slot, h.slots == nil)
		tracks[slot.Name] = t
	}
	h.slots = tracks
}

// remade tells a slot that is not the one of that name from before: a slot's
// restart_lsn never goes back.
func (t *track) remade(s *SlotSample) bool {
	return t.restart != nil && s.RestartLSN != nil && *s.RestartLSN < *t.restart
}

// update takes a sample; first is that of the history.
func (t *track) update(now time.Time, s *Sample, slot *SlotSample, first bool) {
	moved := t.progress.IsZero() || !same(t.confirmed, slot.ConfirmedFlushLSN)
	switch {
	case moved || !same(t.pid, slot.ActivePID):
		t.progress, t.wal, t.pending, t.longer = now, s.WAL, time.Time{}, first
		if slot.ConfirmedFlushLSN != nil && s.WAL.from(*slot.ConfirmedFlushLSN) > noise {
			t.pending = now
		}
	case t.pending.IsZero() && s.WAL > t.wal:
		t.pending = now
	}
	switch {
	case slot.Active:
		t.idle = time.Time{}
	case moved || t.idle.IsZero(): // somebody polls it by SQL
		t.idle, t.idleLonger = s.Time, first
	}
	t.pid, t.confirmed, t.restart = slot.ActivePID, slot.ConfirmedFlushLSN, slot.RestartLSN
}

func same[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// open is a transaction that stands, and for how long it is known to.
type open struct {
	Transaction
	age time.Duration
}

// trackTransactions returns those of the sample that stand, the oldest first.
func (h *History) trackTransactions(now time.Time, s Sample) []open {
	var stand []open
	opened := make(map[string]time.Time, len(s.Transactions))
	for _, t := range s.Transactions {
		first, seen := h.opened[t.XID]
		if !seen {
			first = now
		}
		opened[t.XID] = first
		age := now.Sub(first)
		if t.Since != nil {
			age = max(age, s.Time.Sub(*t.Since))
		}
		if age >= standing {
			stand = append(stand, open{t, age})
		}
	}
	h.opened = opened
	return stand
}

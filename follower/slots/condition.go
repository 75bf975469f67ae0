package slots

import (
	"time"
)

// condition is a slot in its sample, with all that history adds to it.
type condition struct {
	limits Thresholds
	slot   *SlotSample
	now    time.Time // the server's clock
	wal    LSN
	keep   *int64   // max_slot_wal_keep_size
	rate   *float64 // bytes of WAL a second

	idle    time.Duration // at least so long without a consumer
	silent  time.Duration // at least so long nothing confirmed
	waiting time.Duration // of it, with WAL to confirm
	behind  time.Duration // age of the oldest WAL that is not confirmed
	open    []open        // transactions that keep restart_lsn back

	idleLonger, silentLonger bool // it was so when first seen, and may long have been
}

func (h *History) condition(now time.Time, s *Sample, slot *SlotSample, open []open, rate *float64) *condition {
	c := &condition{
		limits: h.Thresholds.withDefaults(), slot: slot, now: s.Time, wal: s.WAL, keep: s.KeepSize, rate: rate,
	}
	t := h.slots[slot.Name]
	c.silent, c.silentLonger = now.Sub(t.progress), t.longer
	if !t.pending.IsZero() {
		c.waiting = now.Sub(t.pending)
	}
	if !slot.Active {
		c.idle, c.idleLonger = max(s.Time.Sub(t.idle), 0), t.idleLonger
		if slot.InactiveSince != nil {
			c.idle, c.idleLonger = max(s.Time.Sub(*slot.InactiveSince), 0), false
		}
	}
	c.behind = h.behind(now, s, slot)
	c.open = c.holding(open)
	return c
}

// behind is the age of the oldest WAL that is not confirmed, as far as is
// known: from the course of the WAL, and from what the walsender measured.
func (h *History) behind(now time.Time, s *Sample, slot *SlotSample) time.Duration {
	if slot.ConfirmedFlushLSN == nil || s.WAL.from(*slot.ConfirmedFlushLSN) <= noise {
		return 0
	}
	behind := h.writtenSince(now, *slot.ConfirmedFlushLSN+noise)
	if c := slot.Consumer; c != nil && c.FlushLag != nil {
		behind = max(behind, time.Duration(*c.FlushLag*float64(time.Second)))
	}
	return behind
}

// holding leaves out the consumer's own transaction, and all of them where the
// slot keeps nothing any more.
func (c *condition) holding(transactions []open) []open {
	if c.lost() || c.slot.RestartLSN == nil {
		return nil
	}
	var holding []open
	for _, t := range transactions {
		if t.PID == nil || !same(t.PID, c.slot.ActivePID) {
			holding = append(holding, t)
		}
	}
	return holding
}

// retained is how much WAL the slot keeps, lag how much its consumer has not
// confirmed; nil while the slot has none.
func (c *condition) retained() *int64 { return c.since(c.slot.RestartLSN) }
func (c *condition) lag() *int64      { return c.since(c.slot.ConfirmedFlushLSN) }

func (c *condition) since(lsn *LSN) *int64 {
	if lsn == nil {
		return nil
	}
	n := c.wal.from(*lsn)
	return &n
}

// secondsLeft is when the server gives the slot up if WAL is written as fast as
// now and the slot moves no more; false where it never would.
func (c *condition) secondsLeft() (float64, bool) {
	left := c.slot.SafeWALSize
	switch {
	case left == nil || c.lost():
		return 0, false
	case *left <= 0:
		return 0, true
	case c.rate == nil || *c.rate <= 0:
		return 0, false
	}
	return float64(*left) / *c.rate, true
}

// result is the condition as it is shown.
func (c *condition) result() Slot {
	s := c.slot
	verdict := c.judge()
	return Slot{
		Name: s.Name, Plugin: s.Plugin, Database: s.Database,
		Active: s.Active, ActivePID: s.ActivePID, Temporary: s.Temporary,
		WALStatus: s.WALStatus, RestartLSN: s.RestartLSN, ConfirmedFlushLSN: s.ConfirmedFlushLSN,
		RetainedBytes: c.retained(), ConfirmedLagBytes: c.lag(), SafeWALBytes: s.SafeWALSize,
		SecondsToInvalidation: c.wholeSecondsLeft(),
		InactiveSince:         utc(s.InactiveSince), InvalidationReason: s.InvalidationReason,
		HeldBy: c.heldBy(), Verdict: verdict, Reason: c.reason(verdict),
		CatalogXmin: s.CatalogXmin, Failover: s.Failover, Synced: s.Synced, Conflicting: s.Conflicting,
		WALBytesPerSecond: c.rate,
	}
}

// wholeSecondsLeft bounds what cannot be meant: a server that writes one byte
// a day.
func (c *condition) wholeSecondsLeft() *int64 {
	const forever = 100 * 365 * 24 * 3600
	seconds, ok := c.secondsLeft()
	if !ok || seconds > forever {
		return nil
	}
	n := int64(seconds)
	return &n
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

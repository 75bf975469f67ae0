package slots

import "slices"

// Verdict says in one word how a slot is.
type Verdict string

// Verdicts, the worst first.
const (
	// VerdictLost: the server has given the slot up; it can never be read again.
	VerdictLost Verdict = "lost"
	// VerdictAtRisk: little is left of max_slot_wal_keep_size.
	VerdictAtRisk Verdict = "at_risk"
	// VerdictInactive: nobody is connected.
	VerdictInactive Verdict = "inactive"
	// VerdictStalled: connected, but nothing is confirmed while WAL is written.
	VerdictStalled Verdict = "stalled"
	// VerdictLagging: far behind.
	VerdictLagging Verdict = "lagging"
	// VerdictOK: nothing to do.
	VerdictOK Verdict = "ok"
)

// Verdicts lists every verdict, the worst first.
func Verdicts() []Verdict {
	return []Verdict{VerdictLost, VerdictAtRisk, VerdictInactive, VerdictStalled, VerdictLagging, VerdictOK}
}

// Worse reports whether v is worse than other. A verdict that is not one of
// Verdicts is worse than all of them.
func (v Verdict) Worse(other Verdict) bool {
	all := Verdicts()
	return slices.Index(all, v) < slices.Index(all, other)
}

// judge returns the worst verdict that is true.
func (c *condition) judge() Verdict {
	switch {
	case c.lost():
		return VerdictLost
	case c.atRisk():
		return VerdictAtRisk
	case c.inactive():
		return VerdictInactive
	case c.stalled():
		return VerdictStalled
	case c.lagging():
		return VerdictLagging
	}
	return VerdictOK
}

// lost: a slot that was invalidated for another reason than missing WAL is as
// useless to its consumer.
func (c *condition) lost() bool {
	s := c.slot
	return is(s.WALStatus, "lost") || s.InvalidationReason != nil || is(s.Conflicting, true)
}

func (c *condition) atRisk() bool {
	left := c.slot.SafeWALSize
	if left == nil || c.keep == nil {
		return is(c.slot.WALStatus, "unreserved")
	}
	if *left <= 0 || float64(*left) < c.limits.AtRiskShare*float64(*c.keep) {
		return true
	}
	seconds, ok := c.secondsLeft()
	return ok && seconds < c.limits.AtRiskWithin.Seconds() && !c.keepsUp()
}

// keepsUp: what the slot needs moves on as fast as WAL is written.
func (c *condition) keepsUp() bool {
	return c.slot.Active && !c.stalled() && !c.lagging()
}

// unconfirmed: there has been WAL to confirm for long, and none of it has been.
func (c *condition) unconfirmed() bool { return c.waiting >= c.limits.StalledFor }

// inactive: a synchronised copy on a standby is read by nobody, and rightly so.
func (c *condition) inactive() bool {
	if c.slot.Active || is(c.slot.Synced, true) {
		return false
	}
	return c.idle >= c.limits.InactiveFor || atLeast(c.retained(), c.limits.InactiveBytes)
}

func (c *condition) stalled() bool { return c.slot.Active && c.unconfirmed() }

func (c *condition) lagging() bool {
	return c.behindReader() || c.heldByTransaction()
}

func (c *condition) behindReader() bool {
	return atLeast(c.lag(), c.limits.LaggingBytes) || c.behind >= c.limits.LaggingFor
}

// heldByTransaction: much WAL is kept for a transaction that has been open long.
func (c *condition) heldByTransaction() bool {
	return len(c.open) > 0 && c.open[0].age >= c.limits.LaggingFor && atLeast(c.retained(), c.limits.LaggingBytes)
}

func is[T comparable](p *T, v T) bool { return p != nil && *p == v }

func atLeast(p *int64, limit int64) bool { return p != nil && *p >= limit }

package slots

import (
	"fmt"
	"strings"
	"time"
)

// reason says in one sentence what is so, with the numbers, and what to do.
func (c *condition) reason(v Verdict) string {
	switch v {
	case VerdictLost:
		return c.lostReason()
	case VerdictAtRisk:
		return c.riskReason() + ": " + c.remedy()
	case VerdictInactive:
		return c.inactiveReason() + ": " + c.remedy()
	case VerdictStalled:
		return c.stalledReason() + ": " + c.remedy()
	case VerdictLagging:
		return c.laggingReason() + ": " + c.remedy()
	}
	return c.okReason()
}

func (c *condition) lostReason() string {
	why := "the server has removed WAL that it needs"
	if c.keep != nil {
		why += " (max_slot_wal_keep_size = " + HumanSize(*c.keep) + ")"
	}
	if r := c.slot.InvalidationReason; r != nil && *r != "wal_removed" {
		why = "the server has invalidated it (" + *r + ")"
	} else if r == nil && is(c.slot.Conflicting, true) && c.slot.RestartLSN != nil {
		// 16 says conflicting also where the WAL is gone, and then shows no restart_lsn
		why = "it conflicted with recovery on this standby"
	}
	return "lost for good, " + why + ": " + c.drop() + " and let its consumer begin anew with a new slot"
}

func (c *condition) riskReason() string {
	s := "the server may give the slot up at the next checkpoint"
	if left := c.slot.SafeWALSize; left != nil && *left > 0 {
		s = "the server gives the slot up after " + HumanSize(*left) + " more of WAL"
		if seconds, ok := c.secondsLeft(); ok {
			s += ", in " + HumanDuration(bounded(seconds)) + " at " + c.speed()
		}
	}
	if c.keep != nil {
		s += " (max_slot_wal_keep_size = " + HumanSize(*c.keep) + ")"
	}
	return s
}

// bounded is so many seconds, a century at most: more overflow a Duration.
func bounded(s float64) time.Duration {
	const most = float64(100 * 365 * 24 * time.Hour)
	return time.Duration(min(s*float64(time.Second), most))
}

func (c *condition) speed() string { return HumanSize(int64(*c.rate)) + "/s" }

func (c *condition) inactiveReason() string {
	return "nobody has been connected for " + c.idleFor() + " and " + c.keeps()
}

// idleFor is for how long nobody is known to have been connected, silentFor for
// how long nothing is known to have been confirmed.
func (c *condition) idleFor() string   { return known(c.idle, c.idleLonger) }
func (c *condition) silentFor() string { return known(c.silent, c.silentLonger) }

func known(d time.Duration, longer bool) string {
	if longer {
		return "at least " + HumanDuration(d)
	}
	return HumanDuration(d)
}

// keeps says how much WAL is kept, and how fast it becomes more.
func (c *condition) keeps() string {
	s := "it keeps " + size(c.retained()) + " of WAL"
	if c.rate != nil && *c.rate >= 1 && !c.slot.Active {
		s += ", more by " + c.speed()
	}
	return s
}

func size(n *int64) string {
	if n == nil {
		return "no"
	}
	return HumanSize(*n)
}

func (c *condition) stalledReason() string {
	if c.slot.ConfirmedFlushLSN == nil {
		return fmt.Sprintf("still being created after %s", c.silentFor())
	}
	return fmt.Sprintf("%s is connected and has confirmed nothing for %s, %s of WAL wait for it",
		c.reader(), c.silentFor(), size(c.lag()))
}

// reader names the backend that reads the slot.
func (c *condition) reader() string {
	if c.slot.ActivePID == nil {
		return "a consumer"
	}
	name := ""
	if r := c.slot.Consumer; r != nil && r.ApplicationName != nil {
		name = *r.ApplicationName
	}
	return backend(*c.slot.ActivePID, name)
}

func backend(pid int32, application string) string {
	if application == "" {
		return fmt.Sprintf("pid %d", pid)
	}
	return fmt.Sprintf("pid %d (%s)", pid, application)
}

func (c *condition) laggingReason() string {
	if !c.behindReader() {
		return c.keeps() + " since before a transaction that is still open"
	}
	s := size(c.lag()) + " of WAL behind"
	if c.behind >= time.Second {
		s += ", " + HumanDuration(c.behind) + " old"
	}
	return s
}

func (c *condition) okReason() string {
	if !c.slot.Active && !is(c.slot.Synced, true) {
		s := c.keeps() + ", with nobody connected"
		if c.idle >= time.Second {
			s += " for " + c.idleFor()
		}
		return s
	}
	if c.slot.Active && c.slot.ConfirmedFlushLSN == nil {
		return c.creationReason()
	}
	s := c.keeps()
	if lag := c.lag(); lag != nil {
		s = HumanSize(*lag) + " behind, " + s
	}
	if len(c.open) > 0 && c.slot.Active {
		s += ", which cannot be less before " + c.open[0].name() + " ends"
	}
	return s
}

// creationReason: the server makes a slot when every transaction that had
// written before has ended.
func (c *condition) creationReason() string {
	s := "being created for " + c.silentFor()
	if len(c.open) > 0 {
		s += ", which waits for " + c.open[0].name() + " to end"
	}
	return s
}

// remedy says what to do, by what is most likely the cause.
func (c *condition) remedy() string {
	switch {
	case !c.slot.Active && !is(c.slot.Synced, true):
		return "start its consumer, or, if it has none any more, " + c.drop()
	case !c.slot.Active:
		return "see whether this standby still synchronises slots (sync_replication_slots)"
	case c.slot.ConfirmedFlushLSN == nil && len(c.open) > 0:
		return c.open[0].remedy()
	case c.unconfirmed() || c.behindReader():
		return c.readerRemedy()
	case len(c.open) > 0:
		return c.open[0].remedy()
	}
	return "raise max_slot_wal_keep_size, or let its consumer confirm more often"
}

func (c *condition) readerRemedy() string {
	switch {
	case c.slot.Consumer != nil && is(c.slot.Consumer.WaitEvent, waitStandby):
		return "bring back the standbys of synchronized_standby_slots, or take the missing one out"
	case c.uncommitted() != nil:
		return c.uncommitted().remedy() + ", and see whether " + c.reader() + " goes on then"
	case c.unconfirmed():
		return "see what keeps " + c.reader() + " from confirming, and restart it if it hangs"
	}
	return "let " + c.reader() + " catch up, and see what slows it down if it does not"
}

// uncommitted is a transaction that has waited for a synchronous standby for as
// long as a consumer may confirm nothing; nil: there is none. Nobody sees its
// rows yet, and a consumer that waits until they are seen, as Tidemark does,
// cannot confirm them.
func (c *condition) uncommitted() *open {
	for i, o := range c.open {
		if c.unconfirmed() && is(o.WaitEvent, waitSyncRep) && o.age >= c.limits.StalledFor {
			return &c.open[i]
		}
	}
	return nil
}

// drop is the statement that ends a slot.
func (c *condition) drop() string {
	return "SELECT pg_drop_replication_slot('" + strings.ReplaceAll(c.slot.Name, "'", "''") + "')"
}

// name says who the transaction is.
func (o open) name() string {
	switch {
	case o.GID != nil:
		return fmt.Sprintf("prepared transaction %q", *o.GID)
	case o.PID != nil && o.ApplicationName != nil:
		return "the transaction of " + backend(*o.PID, *o.ApplicationName)
	case o.PID != nil:
		return "the transaction of " + backend(*o.PID, "")
	}
	return "transaction " + o.XID
}

func (o open) remedy() string {
	age := HumanDuration(o.age)
	switch {
	case is(o.WaitEvent, waitSyncRep):
		return o.name() + " waits for a synchronous standby for " + age + ", bring it back or correct synchronous_standby_names"
	case o.GID != nil:
		return "COMMIT PREPARED or ROLLBACK PREPARED " + o.name() + ", which has stood for " + age
	}
	return "end " + o.name() + ", open for " + age
}

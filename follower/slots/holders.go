package slots

import (
	"slices"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
)

// States of holders that are no states of a backend.
const (
	// StateNoConsumer: nobody is connected. All else but Since is nil.
	StateNoConsumer = "no consumer"
	// StateNotConfirming: the consumer is connected, and confirms nothing or
	// too slowly. Since is when it was last seen to confirm.
	StateNotConfirming = "not confirming"
	// StateWaitsForStandby: a transaction waits in COMMIT for a synchronous
	// standby, or a consumer is not sent anything before the standbys of
	// synchronized_standby_slots have it.
	StateWaitsForStandby = "waiting for a synchronous standby"
)

// Wait events by which a missing standby shows.
const (
	waitSyncRep = "SyncRep"
	waitStandby = "WaitForStandbyConfirmation"
)

// heldBy names what keeps the slot back, the most likely cause first.
func (c *condition) heldBy() []follower.Holder {
	holders := []follower.Holder{}
	switch {
	case c.lost():
		return holders
	case !c.slot.Active && !is(c.slot.Synced, true):
		holders = append(holders, follower.Holder{State: text(StateNoConsumer), Since: c.idleSince()})
	case c.slot.Active && (c.unconfirmed() || c.behindReader()):
		holders = append(holders, c.consumer())
	}
	for _, t := range c.open {
		holders = append(holders, t.holder())
	}
	if c.uncommitted() != nil { // it holds the consumer back
		slices.SortStableFunc(holders, func(a, b follower.Holder) int { return waits(b) - waits(a) })
	}
	return holders
}

func waits(h follower.Holder) int {
	if is(h.State, StateWaitsForStandby) {
		return 1
	}
	return 0
}

func text(s string) *string { return &s }

// idleSince is when the server says, else when it was first seen.
func (c *condition) idleSince() *time.Time {
	since := c.now.Add(-c.idle).UTC()
	return &since
}

// consumer is the backend that reads the slot and does not get on.
func (c *condition) consumer() follower.Holder {
	since := c.now.Add(-c.silent).UTC()
	h := follower.Holder{PID: c.slot.ActivePID, State: text(StateNotConfirming), Since: &since}
	if r := c.slot.Consumer; r != nil {
		h.ApplicationName, h.User = r.ApplicationName, r.User
		if is(r.WaitEvent, waitStandby) {
			h.State = text(StateWaitsForStandby)
		}
	}
	return h
}

func (o open) holder() follower.Holder {
	h := follower.Holder{
		PID: o.PID, GID: o.GID, ApplicationName: o.ApplicationName, User: o.User, State: o.State, Since: utc(o.Since),
	}
	if is(o.WaitEvent, waitSyncRep) {
		h.State = text(StateWaitsForStandby)
	}
	return h
}

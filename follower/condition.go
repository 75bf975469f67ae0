package follower

import "cmp"

// condition is what the loops have found out about a stream; the state that
// users see follows from it.
type condition struct {
	known bool // a position is published
	// lost is why positions are not being published: the fence has no
	// connection, or cannot read the stream's sequence.
	lost string
	// waiting is why no position is known yet.
	waiting string
	// halted is a requirement that the stream lacks.
	halted string
	// standby is who reads the permanent slot.
	standby string
	// unread is why nothing comes from the slot, without which an announced
	// stream cannot go on; unreadState is what to call that.
	unread      string
	unreadState State
	// behind is which standby that workers read is not there, or not verified;
	// behindState what to call that.
	behind      string
	behindState State
}

// state decides what to call the stream's condition.
//
// A halted stream may still have a true position that moves: the fence needs
// neither slot nor publication. What is missing is named all the same, for
// nobody but the fence watches the stream then.
func (c condition) state() (State, string) {
	missing := cmp.Or(c.lost, c.waiting, c.behind)
	switch {
	case c.halted != "":
		return StateHalted, c.halted
	case !c.known && (missing != "" || c.standby == ""):
		return StateStarting, cmp.Or(missing, c.unread)
	case c.lost != "":
		return StateReconnecting, c.lost
	case c.behind != "":
		return c.behindState, c.behind
	case c.standby != "":
		return StateStandby, c.standby
	case c.unread != "":
		return c.unreadState, c.unread
	}
	return StateFollowing, ""
}

// update changes the condition, and tells the watchers and the log when the
// state is another one.
func (s *Stream) update(change func(*condition)) {
	s.mu.Lock()
	change(&s.mu.condition)
	state, reason := s.mu.condition.state()
	before, same := s.mu.state, state == s.mu.state && reason == s.mu.reason
	s.mu.state, s.mu.reason = state, reason
	s.mu.Unlock()
	if same {
		return
	}
	switch {
	case state == before:
	case state == StateFollowing:
		s.log.Info("following", "was", before, "position", s.CurrentToken())
	case state != StateStarting && state != StateStandby: // that is told once, and not by each stream
		s.log.Warn("not following", "state", state, "reason", reason)
	}
	s.tell()
}

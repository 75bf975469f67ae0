package fence

import "time"

// Pauses between probes. Each is a floor: RULES 7 lengthens it.
const (
	// first is the pause after a gap was seen; it doubles while nothing moves.
	first = time.Millisecond
	// moving is the pause while positions move: writers pay for every probe.
	moving = 4 * time.Millisecond
	// slowest is the longest pause while something is unsettled: it bounds how
	// long the rollback of a lone holder stays unnoticed.
	slowest = 50 * time.Millisecond
	// unaided is the longest pause while no slot tells of new rows.
	unaided = 100 * time.Millisecond
	// Idle is the pause when all is settled; a rolled-back tail wakes nobody.
	Idle = time.Second
	// share of the server that probing may take: 1 in 20. RULES 7.
	share = 20
)

// Pace decides how long to wait before the next probe. The zero value is ready.
type Pace struct {
	back time.Duration
}

// Condition is what the last probe left behind.
type Condition struct {
	// Moved: the probe settled something, or rows moved a position since.
	Moved bool
	// Unsettled: some id is drawn and not settled.
	Unsettled bool
	// Aided: a slot is streaming, so that new rows will ask for a probe.
	Aided bool
	// Took is what the probe cost the server, above zero once there was one.
	Took time.Duration
}

// Next returns the pause after a probe. A request for a probe (a gap was seen)
// may cut it short, but not below Floor.
func (p *Pace) Next(c Condition) time.Duration {
	limit := slowest
	switch {
	case !c.Unsettled && c.Aided:
		p.back = 0
		return max(Idle, p.Floor(c))
	case !c.Unsettled:
		limit = unaided
	}
	if c.Moved || p.back == 0 {
		p.back = first
	} else {
		p.back = min(2*p.back, limit)
	}
	return max(p.back, p.Floor(c))
}

// Floor is the least pause after a probe, whoever asks for the next.
func (p *Pace) Floor(c Condition) time.Duration {
	floor := share * c.Took
	if c.Moved {
		floor = max(floor, moving)
	}
	return floor
}

// Hurry makes the next pause short again: somebody saw a new gap.
func (p *Pace) Hurry() { p.back = 0 }

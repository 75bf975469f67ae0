package follower

import (
	"fmt"
	"slices"
)

// simPatience is how often everything is let go on before it is said to hang.
const simPatience = 400

// finishAll lets everything end and everybody announce: then every position
// reaches the newest id.
func (s *sim) finishAll() {
	for range 12 {
		s.endAll()
		if s.broken != "" || s.reached() == "" {
			return
		}
	}
	s.broken = s.reached()
}

// reached says which position has not reached the newest id.
func (s *sim) reached() string {
	for i, f := range s.followers {
		if p := f.life.position(); p != s.db.last {
			return fmt.Sprintf("the position of follower %d is %d in the end, %d are drawn; its writers %v, stored %v", i, p, s.db.last, f.life.tracker.Positions(), s.db.positions)
		}
	}
	for _, w := range s.writers {
		if p := s.inward(w.Tracker.CurrentToken()); p != s.db.last {
			return fmt.Sprintf("the position of the allocator of %s is %d in the end, %d are drawn", w.name, p, s.db.last)
		}
	}
	return ""
}

func (s *sim) endAll() {
	for _, name := range s.names() {
		if _, stored := s.db.positions[name]; stored || s.listed != nil || name == "a" {
			s.startNamed(name)
		}
	}
	s.rest()
	each := func(do func(*simWriter)) {
		for _, w := range slices.Clone(s.writers) {
			do(w)
		}
		s.rest()
	}
	each(func(w *simWriter) {
		for _, x := range slices.Clone(w.writes) {
			w.end(x)
		}
	})
	each((*simWriter).resolve)
	each((*simWriter).wait)
	each((*simWriter).read)
	each(func(w *simWriter) { w.flush(true) })
	each((*simWriter).announce)
	for _, f := range s.followers {
		f.begin()
	}
	s.rest()
	for _, f := range s.followers {
		f.decode(len(s.db.wal))
		f.gate()
	}
	s.rest()
	each((*simWriter).refresh)
}

// rest lets everything go on until nothing does.
func (s *sim) rest() {
	for range simPatience {
		for _, t := range slices.Clone(s.db.open) {
			if t.state == simRunning && isWrite(t) {
				s.db.commit(t)
			}
			if t.state == simCommitted {
				s.db.show(t)
			}
		}
		for _, x := range s.all {
			x.mayBegin = x.mayBegin && (x.tx == nil || x.tx.state == simAborted)
		}
		for _, p := range slices.Clone(s.processes) {
			p.step()
		}
		s.settle()
		s.check()
		if len(s.processes) == 0 || s.broken != "" {
			return
		}
	}
	s.broken = fmt.Sprintf("%d processes do not come to an end", len(s.processes))
}

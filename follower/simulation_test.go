package follower

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// check is the promise, anew from all there is: no position covers an id that
// is open, none that a crash would have handed out again, and none goes back.
func (s *sim) check() {
	limit := int64(math.MaxInt64)
	kept := s.all[:0]
	for _, x := range s.all {
		if x.open() {
			limit = min(limit, x.ids[0]-1)
			kept = append(kept, x)
		}
	}
	s.all = kept
	what := "an id that is open"
	if next := s.db.sequenceOnDisk(); next < limit {
		limit, what = next, "an id that a crash would have handed out again"
	}
	if s.db.last < limit {
		limit, what = s.db.last, "an id that nobody has drawn"
	}
	for i, f := range s.followers {
		s.covers(fmt.Sprint("follower ", i), f.life.position(), &f.shown, limit, what)
		if late := f.life.of.late.Load(); late > 0 {
			s.broken = fmt.Sprintf("follower %d saw %d late rows", i, late)
		}
	}
	for _, w := range s.writers {
		s.covers("the allocator of "+w.name, s.inward(w.Tracker.CurrentToken()), &w.shown, limit, what)
	}
}

func (s *sim) covers(whose string, position int64, before *int64, limit int64, what string) {
	if position != *before {
		s.note("the position of %s is %d", whose, position)
	}
	if position > limit {
		s.broken = fmt.Sprintf("the position of %s is %d: it covers %d, %s", whose, position, limit+1, what)
	}
	if position < *before {
		s.broken = fmt.Sprintf("the position of %s went back from %d to %d", whose, *before, position)
	}
	*before = position
}

// drawScript is what happens, a word each.
func drawScript(t *rapid.T, longest int) []uint64 {
	return rapid.SliceOfN(rapid.Uint64(), 20, longest).Draw(t, "script")
}

func TestSimulation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSim(t, nothingWrong, rapid.Bool().Draw(t, "descending"), rapid.Bool().Draw(t, "listed"), 2)
		defer s.close()
		for i, word := range drawScript(t, 600) {
			s.play(word)
			if s.broken != "" {
				t.Fatalf("step %d: %s", i, s.broken)
			}
		}
		s.finishAll()
		if s.broken != "" {
			t.Fatalf("in the end: %s", s.broken)
		}
	})
}

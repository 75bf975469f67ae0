package replay

import (
	"maps"
	"slices"
	"testing"
)

// Names of the differences from the reference that are wanted.
const (
	neverCalled   = "never-called sequence"
	unregistered  = "H1: unregistered writers"
	sequenceStart = "own start: the sequence's position"
	furtherAhead  = "further ahead, provably"
	failuresToo   = "failures are announced"
	workersStay   = "a writer at work is not removed"
)

// reasons say why each difference is right.
func reasons() map[string]string {
	return map[string]string{
		neverCalled: "the reference takes id 1 for done before anybody has drawn it, and shows it as done while it is open; " +
			"ours has drawn nothing then and says 0",
		unregistered: "a listed writer without a stored position may have its first id open: the reference takes the others' minimum for it and " +
			"passes that id. Ours stores a row, and where it begins, before it draws, where the reference does after its first success; " +
			"who has none counts as 0 (RULES 15)",
		sequenceStart: "the reference lowers a writer's own position to its newest row, on a descending stream to its oldest one; " +
			"all that it had drawn before has ended by then, so ours stays where the sequence is (RULES 18)",
		furtherAhead: "every id of a writer below its lowest open one is done, not only up to the last that it has finished; and an idle writer " +
			"reads where the sequence is, not only the highest id it has heard of. No open id is below: openIDs checks each state",
		workersStay: "a start deletes the rows of writers that its list lacks; of one that is alive, and holds its name, ours keeps it and waits " +
			"for it: its open ids are as real as any (RULES 18)",
		failuresToo: "a rolled-back write moves the writer's position in both; the reference tells others only at the next success",
	}
}

type difference struct {
	name string
	ours int64
}

// scenarioDifferences are the expectations that ours does not meet, with what it
// says, by scenario:step:field.
func scenarioDifferences() map[string]difference {
	return map[string]difference{
		"base/empty:3:positions master":                  {neverCalled, 0},
		"backwards/multiple_instance:8:positions second": {neverCalled, 0},
		"backwards/multiple_instance:9:positions second": {neverCalled, 0},
		"worker/current_token_gap:16:tok second":         {furtherAhead, 11},
		"worker/writer_config_change:16:tok first":       {unregistered, 0},
		"worker/writer_config_change:16:upto":            {unregistered, 0},
	}
}

// without are the changes without the one of that name.
func without(name string) changes {
	c := all()
	switch name {
	case neverCalled:
		c.fromZero = false
	case unregistered:
		c.unseenIsZero, c.registers = false, false
	case sequenceStart:
		c.startIsSequence = false
	case furtherAhead:
		c.exact = false
	case failuresToo:
		c.failuresToo = false
	case workersStay:
		c.workersStay = false
	}
	return c
}

// TestDifferences counts, by name, the recorded states that ours is meant not to
// share, and fails where a name explains nothing any more: a state counts under
// a name if without that change ours would be meant to say something else. (That
// ours says what it is meant to is for TestHistories and TestScenarios.)
func TestDifferences(t *testing.T) {
	t.Parallel()
	var s survey
	for _, h := range histories(t) {
		s.history(t, h)
	}
	for name := range reasons() {
		if s.named[name] == 0 && !showsInScenarios(t, name) {
			t.Errorf("%q is listed as a difference and makes none", name)
		}
	}
	t.Logf("%d of %d states differ; %d of them by several causes at once, none of which makes it alone", s.differing, s.states, s.several)
	for _, name := range slices.Sorted(maps.Keys(reasons())) {
		t.Logf("%5d states, %3d histories  %s", s.named[name], s.histories[name], name)
	}
	t.Logf("ours is further in %d states, behind in %d", s.ahead, s.behind)
}

// showsInScenarios reports whether the generators of any scenario would be meant
// to say something else without the change of that name.
func showsInScenarios(t *testing.T, name string) bool {
	for _, steps := range scenarios(t) {
		ours, other := newModel(all()), newModel(without(name))
		for i := range steps {
			if steps[i].Expect != "" {
				continue
			}
			_, err := ours.do(&steps[i].op)
			if _, otherErr := other.do(&steps[i].op); err != nil || otherErr != nil {
				t.Fatalf("%s: %v, %v", steps[i].Op, err, otherErr)
			}
			for gen, g := range ours.gens {
				if !g.state(nil).equal(other.gens[gen].state(nil)) {
					return true
				}
			}
		}
	}
	return false
}

// survey is the table of differences.
type survey struct {
	states, differing, several, ahead, behind int
	named, histories                          map[string]int
}

func (s *survey) history(t *testing.T, h history) {
	if s.named == nil {
		s.named, s.histories = map[string]int{}, map[string]int{}
	}
	ours, others := newModel(all()), map[string]*model{}
	for name := range reasons() {
		others[name] = newModel(without(name))
	}
	before := maps.Clone(s.named)
	for i := range h.lines {
		l := &h.lines[i]
		_, err := ours.do(&l.Op)
		if (err == nil) != l.Result.OK {
			t.Fatalf("%s, line %d: %v", h.name, i+1, err)
		}
		for _, m := range others {
			_, _ = m.do(&l.Op) // refused like the other
		}
		for gen, recorded := range l.States {
			s.state(gen, recorded, ours, others)
		}
	}
	for name, n := range s.named {
		if n > before[name] {
			s.histories[name]++
		}
	}
}

func (s *survey) state(gen string, recorded state, ours *model, others map[string]*model) {
	s.states++
	said := ours.gens[gen].state(recorded.Tokens)
	if said.equal(recorded) {
		return
	}
	s.differing++
	switch {
	case magnitude(said.Current) > magnitude(recorded.Current):
		s.ahead++
	case magnitude(said.Current) < magnitude(recorded.Current):
		s.behind++
	}
	found := false
	for name, m := range others {
		if !m.gens[gen].state(recorded.Tokens).equal(said) {
			s.named[name]++
			found = true
		}
	}
	if !found {
		s.several++
	}
}

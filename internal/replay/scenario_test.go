package replay

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// expectation is one value that a scenario expects.
type expectation struct {
	place string // scenario:step:field
	want  int64
}

// TestScenarios is the reference's own test suite.
func TestScenarios(t *testing.T) {
	w := newWorld(t, start(t), "scenarios")
	all := scenarios(t)
	expected, met := 0, map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		played := newSession(w)
		for i := range all[name] {
			s := &all[name][i]
			place := fmt.Sprintf("%s:%d", name, i+1)
			expected += s.count()
			if s.Expect == "" {
				played.step(t, place, s)
			}
			for _, e := range s.expectations(place) {
				w.expect(t, s.Expect, e, met)
			}
		}
	}
	if expected != 129 {
		t.Errorf("%d expectations, not 129", expected)
	}
	for place := range scenarioDifferences() {
		if !met[place] {
			t.Errorf("%s is listed as a difference and was never asked for", place)
		}
	}
}

// step does an operation.
func (s *session) step(t *testing.T, place string, do *step) {
	t.Helper()
	ids, refused, err := s.do(t.Context(), &do.op, s.everybody(&do.op))
	if err == nil && (refused || len(do.WantIDs) > 0 && !slices.Equal(ids, do.WantIDs)) {
		err = fmt.Errorf("%s gave ids %v, refused %v; want %v", do.Op, ids, refused, do.WantIDs)
	}
	if err != nil {
		t.Fatalf("%s: %v", place, err)
	}
}

// everybody asks each generator for the tokens of all, and of one unknown.
func (s *session) everybody(o *op) map[string]map[string]int64 {
	writers := map[string]int64{"nobody": 0}
	for _, g := range s.world.named {
		writers[g.Instance] = 0
	}
	asked := map[string]map[string]int64{o.Name: writers}
	for gen := range s.world.gens {
		asked[gen] = writers
	}
	return asked
}

// count is how many expectations a step holds, as the reference's tests count.
func (s *step) count() int {
	n := 0
	for _, there := range []bool{s.Positions != nil, s.Tok != nil, s.Upto != nil, s.Cur != nil, s.MinLocal != nil, s.WantIDs != nil} {
		if there {
			n++
		}
	}
	return n
}

// expectations are all the values of a step that expects some, by field.
func (s *step) expectations(place string) []expectation {
	var all []expectation
	for writer, id := range s.Positions {
		all = append(all, expectation{place + ":positions " + writer, id})
	}
	for writer, id := range s.Tok {
		all = append(all, expectation{place + ":tok " + writer, id})
	}
	for field, id := range map[string]*int64{"upto": s.Upto, "cur": s.Cur, "minlocal": s.MinLocal} {
		if id != nil {
			all = append(all, expectation{place + ":" + field, *id})
		}
	}
	slices.SortFunc(all, func(a, b expectation) int { return strings.Compare(a.place, b.place) })
	return all
}

// expect waits for a value: the reference's, or where the table of differences
// says so, another.
func (w *world) expect(t *testing.T, gen string, e expectation, met map[string]bool) {
	t.Helper()
	want := e.want
	d, differs := scenarioDifferences()[e.place]
	if differs {
		met[e.place] = true
		want = d.ours
		if d.ours == e.want {
			t.Errorf("%s is listed as a difference (%s), with the reference's own value %d", e.place, d.name, d.ours)
		}
		if reasons()[d.name] == "" {
			t.Errorf("%s: no reason is given for %q", e.place, d.name)
		}
	}
	field := e.place[strings.LastIndexByte(e.place, ':')+1:]
	if bad := await(func() string {
		if got := w.value(gen, field); got != want {
			return fmt.Sprintf("%s: %s says %d, want %d (the reference: %d)", e.place, gen, got, want, e.want)
		}
		return ""
	}); bad != "" {
		t.Error(bad)
	}
}

func (w *world) value(gen, field string) int64 {
	a := w.gens[gen]
	kind, writer, _ := strings.Cut(field, " ")
	switch kind {
	case "positions":
		return a.Positions()[writer]
	case "tok":
		return a.CurrentTokenForWriter(writer)
	case "upto":
		return a.PersistedUpTo()
	case "cur":
		return a.CurrentToken()
	default:
		return a.MinimalLocalToken()
	}
}

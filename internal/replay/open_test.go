package replay

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
)

// openIDs is the second opinion on safety: which ids are open, from nothing but
// the operations and the ids that they gave. It knows no positions.
type openIDs struct {
	lives   map[string]int // by generator; counts what was opened under the name
	claims  map[string][]claim
	writers map[string]string // instance, by generator
	handles map[string][]openID
	txns    map[string][]openID
	open    map[openID]bool
}

type openID struct {
	gen    string
	life   int
	writer string
	id     int64 // without its sign
}

// claim is what an advance line told a generator.
type claim struct {
	writer string
	id     int64
}

func newOpenIDs() *openIDs {
	return &openIDs{
		lives: map[string]int{}, claims: map[string][]claim{}, writers: map[string]string{},
		handles: map[string][]openID{}, txns: map[string][]openID{}, open: map[openID]bool{},
	}
}

// after notes an operation that has been done, and gave ids.
func (o *openIDs) after(do *op, ids []int64) {
	switch do.Op {
	case "reset":
		*o = *newOpenIDs()
	case "new":
		o.replace(do)
	case "get_next":
		o.handles[do.Handle] = o.draw(do.Gen, ids)
	case "get_next_txn":
		o.txns[do.Txn] = append(o.txns[do.Txn], o.draw(do.Gen, ids)...)
	case "finish":
		o.end(o.handles[do.Handle])
	case "txn_end":
		o.end(o.txns[do.Txn])
		delete(o.txns, do.Txn)
	case "advance":
		o.claims[do.Gen] = append(o.claims[do.Gen], claim{do.Writer, magnitude(do.ID)})
	}
}

// replace begins a life. What the former one had drawn and not finished has
// died with its process: nobody will write it, and no history does.
func (o *openIDs) replace(do *op) {
	for x := range o.open {
		if x.gen == do.Name {
			delete(o.open, x)
		}
	}
	o.lives[do.Name]++
	o.writers[do.Name] = do.Instance
	o.claims[do.Name] = nil
}

func (o *openIDs) draw(gen string, ids []int64) []openID {
	var drawn []openID
	for _, id := range ids {
		x := openID{gen, o.lives[gen], o.writers[gen], magnitude(id)}
		o.open[x] = true
		drawn = append(drawn, x)
	}
	return drawn
}

func (o *openIDs) end(ids []openID) {
	for _, x := range ids {
		delete(o.open, x)
	}
}

// shown returns the open ids that a generator's state shows as done. Unless
// strict, what the history itself claimed to the generator is taken out: the
// id, or that its writer had passed it.
func (o *openIDs) shown(gen string, s *state, strict bool) []openID {
	var shown []openID
	for x := range o.open {
		furthest := max(magnitude(s.Current), magnitude(s.Persisted), magnitude(s.Tokens[x.writer]), magnitude(s.Positions[x.writer]))
		if x.writer == o.writers[gen] {
			furthest = max(furthest, magnitude(s.Minimal))
		}
		if x.id <= furthest && (strict || !o.claimed(gen, x)) {
			shown = append(shown, x)
		}
	}
	return shown
}

func (o *openIDs) claimed(gen string, x openID) bool {
	return slices.ContainsFunc(o.claims[gen], func(c claim) bool {
		return c.id == x.id || c.writer == x.writer && c.id >= x.id
	})
}

func (x openID) String() string { return fmt.Sprintf("%d of %s", x.id, x.writer) }

func magnitude(id int64) int64 { return max(id, -id) }

// TestOpenIDsFindWhatTheReferenceGetsWrong holds openIDs itself to account: over
// the states that the reference was recorded with it must find the known
// places, and no others.
func TestOpenIDsFindWhatTheReferenceGetsWrong(t *testing.T) {
	t.Parallel()
	want := unsafeLines(t)
	found := 0
	for _, h := range histories(t) {
		open := newOpenIDs()
		var unsafe []int
		for i := range h.lines {
			l := &h.lines[i]
			open.after(&l.Op, l.Result.IDs)
			for _, gen := range slices.Sorted(maps.Keys(l.States)) {
				s := l.States[gen]
				if len(open.shown(gen, &s, true)) > 0 {
					unsafe = append(unsafe, i+1)
					break
				}
			}
		}
		found += len(unsafe)
		if !slices.Equal(unsafe, want[h.name]) {
			t.Errorf("%s: unsafe lines %v, known are %v", h.name, unsafe, want[h.name])
		}
	}
	if found == 0 {
		t.Error("no unsafe line: the check finds nothing")
	}
}

// unsafeLines are the lines after which the reference shows an open id as done,
// by history.
func unsafeLines(t *testing.T) map[string][]int {
	t.Helper()
	data, err := os.ReadFile("testdata/unsafe_lines.json")
	if err != nil {
		t.Fatal(err)
	}
	var lines map[string][]int
	if err := json.Unmarshal(data, &lines); err != nil {
		t.Fatal(err)
	}
	return lines
}

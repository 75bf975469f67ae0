package replay

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
)

// tables is the database of the model: what operations leave there.
type tables struct {
	rows      map[string][]row
	positions map[string]int64 // by instance, as stored
	last      int64            // of the sequence
	called    bool
}

type row struct {
	id       int64
	instance string // "" for NULL
}

func newTables(names []string) *tables {
	t := &tables{rows: map[string][]row{}, positions: map[string]int64{}, last: 1}
	for _, name := range tableNames(names) {
		t.rows[name] = nil
	}
	return t
}

// tableNames are the tables of a reset or a generator.
func tableNames(names []string) []string {
	if len(names) == 0 {
		return []string{"foobar"}
	}
	return names
}

// drawn is the highest id drawn, 0 when there is none.
func (t *tables) drawn() int64 {
	if t.called {
		return t.last
	}
	return t.last - 1
}

func (t *tables) nextval() int64 {
	t.last, t.called = t.drawn()+1, true
	return t.last
}

func (t *tables) draw(n int) []int64 {
	ids := make([]int64, max(n, 1))
	for i := range ids {
		ids[i] = t.nextval()
	}
	return ids
}

// upsert stores a position if it is further from zero than the stored one.
func (t *tables) upsert(instance string, position, sign int64) {
	if old, ok := t.positions[instance]; !ok || old*sign < position*sign {
		t.positions[instance] = position
	}
}

// raise is the check of the sequence that a start begins with.
func (t *tables) raise(names []string, sign int64) {
	for _, name := range names {
		highest := int64(0)
		for _, r := range t.rows[name] {
			highest = max(highest, r.id*sign)
		}
		if highest > t.drawn() {
			t.last, t.called = max(t.last, highest), true
		}
	}
}

// purge deletes the positions of those who are not listed.
func (t *tables) purge(listed []string) {
	maps.DeleteFunc(t.positions, func(name string, _ int64) bool {
		return len(listed) > 0 && !slices.Contains(listed, name)
	})
}

// beyond returns the rows of the tables at or beyond an id, sorted by raw id.
func (t *tables) beyond(names []string, id, sign int64) []row {
	var all []row
	for _, name := range names {
		for _, r := range t.rows[name] {
			if r.id*sign >= id {
				all = append(all, r)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b row) int { return int(a.id - b.id) })
	return all
}

var storing = regexp.MustCompile(`^INSERT INTO stream_positions VALUES \('test_stream','(\w+)',(-?\d+)\) ON CONFLICT \(stream_name,instance_name\) DO UPDATE SET stream_id=EXCLUDED\.stream_id$`)

// do does an operation that concerns the database alone; it reports false for
// any other.
func (t *tables) do(o *op) (ids []int64, done bool, err error) {
	switch o.Op {
	case "reset":
		*t = *newTables(o.Tables)
	case "sql":
		return nil, true, t.sql(o.SQL)
	case "insert":
		for _, r := range o.Rows {
			name, _ := r[1].(string)
			t.insert(o.Table, int64(r[0].(float64)), name)
		}
	case "insert_rows":
		for range o.N {
			ids = append(ids, t.nextval())
			t.insert(o.Table, ids[len(ids)-1], o.Instance)
		}
		if orTrue(o.UpdateTable) {
			t.positions[o.Instance] = ids[len(ids)-1]
		}
	case "insert_row":
		t.insertRow(o)
	default:
		return nil, false, nil
	}
	return ids, true, nil
}

// insertRow is the reference tests' own step, which stores a positive position
// for negative ids too.
func (t *tables) insertRow(o *op) {
	t.insert(o.Table, o.ID, o.Instance)
	if o.Setval {
		t.last, t.called = magnitude(o.ID), true
	}
	t.positions[o.Instance] = magnitude(o.ID)
}

func (t *tables) insert(table string, id int64, instance string) {
	name := tableNames([]string{table})[0]
	if table == "" {
		name = "foobar"
	}
	t.rows[name] = append(t.rows[name], row{id, instance})
}

func (t *tables) sql(text string) error {
	if text == "SELECT nextval('foobar_seq')" {
		t.nextval()
		return nil
	}
	m := storing.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("the model does not know %s", text)
	}
	position, err := strconv.ParseInt(m[2], 10, 64)
	t.positions[m[1]] = position
	return err
}

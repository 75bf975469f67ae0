package replay

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
)

// model is the reference as its description has it, slow and plain: a database
// and the generators over it. Ids are positive inside, external ones carry the
// stream's sign.
type model struct {
	changes changes
	tables  *tables
	order   []string // names in the order of their making
	gens    map[string]*generator
	handles map[string]drawing
	txns    map[string]*transaction
}

// drawing is some ids of a generator.
type drawing struct {
	gen *generator
	ids []int64 // positive
}

type transaction struct {
	drawings []drawing
	rows     []row
}

func newModel(c changes) *model {
	return &model{
		changes: c, tables: newTables(nil), gens: map[string]*generator{},
		handles: map[string]drawing{}, txns: map[string]*transaction{},
	}
}

var errNotWriter = errors.New("not a writer")

// do does an operation and returns the ids that it gave, as users see them.
func (m *model) do(o *op) ([]int64, error) {
	if ids, done, err := m.tables.do(o); done {
		if o.Op == "reset" {
			fresh := newModel(m.changes)
			fresh.tables = m.tables
			*m = *fresh
		}
		return ids, err
	}
	switch o.Op {
	case "new":
		if m.gens[o.Name] == nil {
			m.order = append(m.order, o.Name)
		}
		m.gens[o.Name] = m.open(o)
	case "get_next", "get_next_txn":
		return m.draw(o)
	case "finish":
		d := m.handles[o.Handle]
		d.gen.finish(d.ids)
		m.announce(d.gen, orTrue(o.Success))
	case "txn_begin":
		m.txns[o.Txn] = &transaction{}
	case "txn_sql":
		name, _ := o.Args[1].(string)
		m.txns[o.Txn].rows = append(m.txns[o.Txn].rows, row{int64(o.Args[0].(float64)), name})
	case "txn_end":
		m.end(m.txns[o.Txn], orTrue(o.Success))
	case "advance":
		g := m.gens[o.Gen]
		g.advance(o.Writer, o.ID*g.sign, m.tables.drawn())
	case "replicate", "replicate_all":
		m.replicate(o)
	case "max_allocated", "stream_positions", "sequence":
	default:
		return nil, fmt.Errorf("the model does not know operation %q", o.Op)
	}
	return nil, nil
}

func (m *model) draw(o *op) ([]int64, error) {
	g := m.gens[o.Gen]
	if !g.mayWrite() {
		return nil, errNotWriter
	}
	d := drawing{g, m.tables.draw(o.N)}
	external := make([]int64, len(d.ids))
	for i, id := range d.ids {
		external[i] = id * g.sign
	}
	g.drew(d.ids)
	if o.Op == "get_next" {
		m.handles[o.Handle] = d
	} else {
		m.txns[o.Txn].drawings = append(m.txns[o.Txn].drawings, d)
	}
	return external, nil
}

func (m *model) end(t *transaction, success bool) {
	if success {
		m.tables.rows["foobar"] = append(m.tables.rows["foobar"], t.rows...)
	}
	for _, d := range t.drawings {
		d.gen.finish(d.ids)
	}
	for _, d := range t.drawings {
		m.announce(d.gen, success)
	}
}

// announce stores a position after a write.
func (m *model) announce(g *generator, success bool) {
	if len(g.writers) > 0 && (success || g.failuresToo) {
		m.tables.upsert(g.instance, g.toStore()*g.sign, g.sign)
	}
}

// replicate has each generator's own token, or that of one instance, advanced on
// all others.
func (m *model) replicate(o *op) {
	for _, name := range m.order {
		from := m.gens[name]
		if o.Instance != "" && from.instance != o.Instance {
			continue
		}
		token := from.ownToken()
		if told, ok := o.told[name]; ok {
			token = told * from.sign
		}
		for _, to := range m.order {
			if to != name {
				m.gens[to].advance(from.instance, token, m.tables.drawn())
			}
		}
	}
}

// TestModelIsTheReference: the model says on every line what was recorded.
func TestModelIsTheReference(t *testing.T) {
	t.Parallel()
	compared := 0
	for _, h := range histories(t) {
		m := newModel(changes{})
		for i := range h.lines {
			n, err := m.agrees(&h.lines[i])
			if err != nil {
				t.Errorf("%s, line %d: %v", h.name, i+1, err)
				break
			}
			compared += n
		}
	}
	t.Logf("%d states compared", compared)
}

// agrees does the line's operation and compares everything recorded.
func (m *model) agrees(l *line) (states int, err error) {
	ids, err := m.do(&l.Op)
	if (err == nil) != l.Result.OK {
		return 0, fmt.Errorf("%s: %v, recorded ok=%v", l.Op.Op, err, l.Result.OK)
	}
	if !slices.Equal(ids, l.Result.IDs) {
		return 0, fmt.Errorf("%s gave ids %v, recorded %v", l.Op.Op, ids, l.Result.IDs)
	}
	if l.Op.Op == "stream_positions" {
		stored := map[string]int64{}
		for _, r := range l.Result.Rows {
			stored[r[1].(string)] = int64(r[2].(float64))
		}
		if !maps.Equal(stored, m.tables.positions) {
			return 0, fmt.Errorf("stored positions %v, recorded %v", m.tables.positions, stored)
		}
	}
	for gen, want := range l.States {
		want.Notifies = 0
		if got := m.gens[gen].state(want.Tokens); !reflect.DeepEqual(got, want) {
			return states, fmt.Errorf("%s after %s: %+v, recorded %+v", gen, l.Op.Op, got, want)
		}
		states++
	}
	return states, nil
}

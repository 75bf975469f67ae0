package session

import (
	"bytes"
	"fmt"

	"github.com/tidemark-pg/tidemark/decoder"
	"github.com/tidemark-pg/tidemark/follower/internal/gate"
)

// Routes map a relation's OID to what its rows mean.
type Routes map[uint32][]Route

// Route is what the rows of one table mean to one stream.
type Route struct {
	// Stream and Table are the caller's numbers; TableName is for messages.
	Stream, Table int
	TableName     string
	// Descending: only negative ids belong to the stream; otherwise only
	// positive ones do.
	Descending bool
	// IDColumn and InstanceColumn are exact names; without the latter every
	// row is Writer's.
	IDColumn, InstanceColumn, Writer string
	// Ordered: the stream is announced; its commits pass the gate in order.
	Ordered bool
}

// Positions is the table of announced positions.
type Positions struct {
	OID       uint32
	TableName string
	// Streams are the announced streams by name.
	Streams map[string]int
}

// bound is a Route with the places of its columns in a relation.
type bound struct {
	Route
	id, instance int // -1: no such column is needed
	idType       uint32
	padded       bool // the instance is a char(n): its blanks mean nothing
}

// bpchar is the type char(n) (pg_type.dat).
const bpchar = 1042

// binder keeps routes bound to the relations that are described now.
type binder struct {
	routes Routes
	known  map[uint32]binding
}

type binding struct {
	relation *decoder.Relation
	routes   []bound
}

func newBinder(routes Routes) *binder {
	return &binder{routes: routes, known: make(map[uint32]binding)}
}

// bind finds the columns of the relation's routes. A relation without routes
// has none; a described column that is missing is an error, for its rows could
// not be understood.
func (b *binder) bind(r *decoder.Relation) ([]bound, error) {
	if k, ok := b.known[r.OID]; ok && k.relation == r {
		return k.routes, nil
	}
	var routes []bound
	for _, route := range b.routes[r.OID] {
		bd, err := bindColumns(route, r)
		if err != nil {
			return nil, err
		}
		routes = append(routes, bd)
	}
	b.known[r.OID] = binding{relation: r, routes: routes}
	return routes, nil
}

func bindColumns(route Route, r *decoder.Relation) (bound, error) {
	bd := bound{Route: route, id: r.Column(route.IDColumn), instance: -1}
	missing := func(column string) error {
		return &RequirementError{
			Stream: route.Stream, Table: route.TableName, Column: column,
			Problem: "the publication does not send such a column",
		}
	}
	if bd.id < 0 {
		return bd, missing(route.IDColumn)
	}
	bd.idType = r.Columns[bd.id].TypeOID
	if route.InstanceColumn != "" {
		if bd.instance = r.Column(route.InstanceColumn); bd.instance < 0 {
			return bd, missing(route.InstanceColumn)
		}
		bd.padded = r.Columns[bd.instance].TypeOID == bpchar
	}
	return bd, nil
}

// insert reads one row for one route and extends the runs with it.
func (bd *bound) insert(dec *decoder.Decoder, row decoder.Tuple, runs []gate.Run) ([]gate.Run, error) {
	value := row.Value(bd.id)
	if value.Kind == decoder.ValueNull {
		return runs, nil // a row without an id is not in the stream
	}
	id, err := value.Int64(bd.idType)
	if err != nil {
		return runs, fmt.Errorf("table %s, column %q: %w", bd.TableName, bd.IDColumn, err)
	}
	if id == 0 || (id < 0) != bd.Descending {
		return runs, nil // it belongs to the mirror stream of the same table
	}
	writer := bd.Writer
	if bd.instance >= 0 {
		name := row.Value(bd.instance).Bytes
		if bd.padded {
			name = bytes.TrimRight(name, " ")
		}
		writer = dec.Intern(name)
	}
	return extend(runs, bd, writer, id), nil
}

// extend lengthens the last run or begins another: one transaction mostly
// inserts consecutive ids.
func extend(runs []gate.Run, bd *bound, writer string, id int64) []gate.Run {
	step := int64(1)
	if bd.Descending {
		step = -1
	}
	if n := len(runs); n > 0 {
		last := &runs[n-1]
		same := last.Stream == bd.Stream && last.Table == bd.Table && last.Writer == writer
		if same && (id == last.To || id == last.To+step) {
			last.To = id
			last.Rows++
			return runs
		}
	}
	return append(runs, gate.Run{Stream: bd.Stream, Table: bd.Table, Writer: writer, From: id, To: id, Rows: 1})
}

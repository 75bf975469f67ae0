package catalog

import (
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// The columns of the positions table are fixed: the table is shared with
// writers in any language.
const (
	positionsStream   = "stream_name"
	positionsInstance = "instance_name"
	positionsID       = "stream_id"
)

// positionsKey are the columns that tell one announced position from another.
func positionsKey() []string { return []string{positionsStream, positionsInstance} }

// index is one index of the positions table.
type index struct {
	Quoted                string
	Primary, Chosen       bool
	Unique, Usable, Whole bool
	Columns               []int16
}

const indexesSQL = `
SELECT pg_catalog.quote_ident(c.relname), i.indisprimary, i.indisreplident,
       i.indisunique, i.indisvalid AND i.indimmediate, i.indpred IS NULL AND i.indexprs IS NULL,
       (i.indkey::int2[])[0:i.indnkeyatts - 1]
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
 WHERE i.indrelid = $1::oid
 ORDER BY i.indisprimary DESC, c.relname`

func (f *facts) scanIndexes(rows pgx.Rows) (err error) {
	f.indexes, err = pgx.CollectRows(rows, pgx.RowToStructByPos[index])
	return err
}

// checkPositions judges the table of announced positions and its publication.
func (in *inspection) checkPositions() {
	name := in.spec.PositionsTable
	var findings []Finding
	if r := in.facts.relation(name); r == nil {
		findings = []Finding{in.missing("positions table", name, createPositions(name))}
	} else {
		findings = in.positions(r, name)
	}
	for _, f := range findings {
		f.Scope, f.Table = ScopeAnnounced, name
		in.add(f)
	}
}

func createPositions(name string) string {
	return "CREATE TABLE " + name + " (stream_name text NOT NULL, instance_name text NOT NULL, stream_id bigint NOT NULL, " +
		"PRIMARY KEY (stream_name, instance_name))"
}

func (in *inspection) positions(r *relation, name string) []Finding {
	fit := r.fit(name)
	fit.Name = "positions table " + name
	if fit.OK && r.partitioned() {
		fit = unmet(fit.Name, "positions table "+name+" is partitioned, wanted an ordinary table", "name an ordinary table in positions_table")
	}
	if !fit.OK {
		return []Finding{fit}
	}
	findings := []Finding{
		fit,
		in.instanceColumn(r, name, positionsStream),
		in.instanceColumn(r, name, positionsInstance),
		in.integerColumn(r, name, positionsID),
		in.readable(r, name, append(positionsKey(), positionsID)),
		in.rowSecurity(r, name),
	}
	if slices.ContainsFunc(findings[:4], func(f Finding) bool { return !f.OK }) {
		return findings
	}
	in.resolvePositions(r)
	if in.spec.Slot.Kind == SlotNone {
		return findings
	}
	return append(findings, in.replicaIdentity(r, name), in.positionsPublished(r, name))
}

func (in *inspection) resolvePositions(r *relation) {
	t := ResolvedTable{Table: Table{Name: in.spec.PositionsTable, IDColumn: positionsID, InstanceColumn: positionsInstance}}
	t.resolve(r)
	in.snap.Positions = &t
}

// identity lists the columns that updates and deletes carry of the old row;
// whole: all of them. Both empty: the server refuses updates once the table
// is published (RULES 21).
func (in *inspection) identity(r *relation) (columns []int16, whole bool) {
	if r.Identity == "f" {
		return nil, true
	}
	for _, i := range in.facts.indexes {
		if i.Usable && (r.Identity == "d" && i.Primary || r.Identity == "i" && i.Chosen) {
			return i.Columns, false
		}
	}
	return nil, false
}

func (in *inspection) replicaIdentity(r *relation, name string) Finding {
	title := "replica identity of " + name
	columns, whole := in.identity(r)
	switch {
	case whole:
		return met(title, "full")
	case len(columns) == 0:
		return unmet(title, "positions table "+name+" has no replica identity: once it is published the server refuses updates of it",
			in.mendIdentity(r))
	case !r.covers(columns, positionsKey()):
		return unmet(title, "the replica identity of positions table "+name+" lacks stream_name or instance_name: "+
			"deleted writers could not be told", in.mendIdentity(r))
	}
	return met(title, "")
}

// mendIdentity uses an index that names stream and instance, if there is one.
func (in *inspection) mendIdentity(r *relation) string {
	for _, i := range in.facts.indexes {
		if i.Unique && i.Usable && i.Whole && r.covers(i.Columns, positionsKey()) && r.allNotNull(i.Columns) {
			return "ALTER TABLE " + r.Display + " REPLICA IDENTITY USING INDEX " + i.Quoted
		}
	}
	return "ALTER TABLE " + r.Display + " REPLICA IDENTITY FULL"
}

// covers tells whether the column numbers include all the named columns.
func (r *relation) covers(numbers []int16, names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool {
		c := r.column(name)
		return c == nil || !slices.Contains(numbers, c.Number)
	})
}

func (r *relation) allNotNull(numbers []int16) bool {
	return !slices.ContainsFunc(r.columns, func(c column) bool {
		return slices.Contains(numbers, c.Number) && !c.NotNull
	})
}

// positionsPublished judges the publication of the positions table. Updates
// are how positions move, deletes how a writer leaves the minimum.
func (in *inspection) positionsPublished(r *relation, name string) Finding {
	want := in.spec.positionsPublication()
	title := publicationTitle(want)
	p := in.facts.publications[want]
	if p == nil {
		return unmet(title, title+" does not exist", "CREATE PUBLICATION "+quoteIdent(want)+" FOR TABLE "+r.Display+
			" WITH (publish = 'insert, update, delete')")
	}
	again := "ALTER PUBLICATION " + p.Quoted + " DROP TABLE " + r.Display + "; ALTER PUBLICATION " + p.Quoted + " ADD TABLE " + r.Display
	m := p.members[r.OID]
	switch {
	case p.publishes(r) != r.OID:
		return unmet(title, title+" does not publish positions table "+name, "ALTER PUBLICATION "+p.Quoted+" ADD TABLE "+r.Display)
	case !p.Insert || !p.Update || !p.Delete:
		return unmet(title, title+" publishes "+p.actions()+", wanted insert, update and delete of positions table "+name,
			"ALTER PUBLICATION "+p.Quoted+" SET (publish = 'insert, update, delete')")
	case m.Filtered:
		return unmet(title, title+" hides rows of positions table "+name+" with a row filter", again)
	case m.Listed && !in.listSuffices(r, m.Columns):
		return unmet(title, title+" does not publish all of stream_name, instance_name, stream_id and the replica identity "+
			"of positions table "+name+": the column list lacks some", again)
	}
	return met(title, "publishes "+p.actions())
}

func (in *inspection) listSuffices(r *relation, list []int16) bool {
	identity, whole := in.identity(r)
	missing := slices.ContainsFunc(identity, func(n int16) bool { return !slices.Contains(list, n) })
	return !whole && !missing && r.covers(list, append(positionsKey(), positionsID))
}

// actions lists what p publishes, in words.
func (p *publication) actions() string {
	var words []string
	for _, a := range []struct {
		on   bool
		word string
	}{{p.Insert, "insert"}, {p.Update, "update"}, {p.Delete, "delete"}, {p.Truncate, "truncate"}} {
		if a.on {
			words = append(words, a.word)
		}
	}
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, ", ")
}

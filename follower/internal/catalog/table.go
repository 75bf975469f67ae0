package catalog

import (
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// checkStream judges the tables and the sequence of a stream, and resolves them.
func (in *inspection) checkStream(s *ResolvedStream) {
	for i := range s.Tables {
		t := &s.Tables[i]
		for _, f := range in.table(s, t) {
			f.Scope, f.Stream, f.Table = ScopeStream, s.Name, t.Name
			in.add(f)
		}
	}
	for _, f := range in.sequence(s) {
		f.Scope, f.Stream = ScopeStream, s.Name
		in.add(f)
	}
	if s.Announced && len(s.Writers) == 0 {
		in.add(warning("writers "+s.Name, "stream "+s.Name+" lists no writers: a writer must then have its row in "+
			in.spec.PositionsTable+" before it first draws an id",
			"list the stream's writers in the configuration (writers: [...])").ofStream(s.Name))
	}
}

func (f Finding) ofStream(name string) Finding {
	f.Scope, f.Stream = ScopeStream, name
	return f
}

// table judges one table of a stream. What cannot be told without the table
// is left out where there is none.
func (in *inspection) table(s *ResolvedStream, t *ResolvedTable) []Finding {
	r := in.facts.relation(t.Name)
	if r == nil {
		return []Finding{in.missing("table", t.Name, "create the table, or name the right one in the configuration")}
	}
	t.resolve(r)
	findings := []Finding{r.fit(t.Name)}
	if !findings[0].OK {
		return findings
	}
	findings = append(findings, in.idColumn(r, t))
	if t.InstanceColumn != "" {
		findings = append(findings, in.instanceColumn(r, t.Name, t.InstanceColumn))
	}
	findings = append(findings, in.readable(r, t.Name, t.columns()), in.rowSecurity(r, t.Name))
	if in.spec.Slot.Kind != SlotNone {
		findings = append(findings, in.published(r, t.Table)...)
	}
	return findings
}

func (t *ResolvedTable) resolve(r *relation) {
	t.OID, t.Schema, t.RelName, t.Partitioned = r.OID, r.Schema, r.Name, r.partitioned()
	t.QuotedName = pgx.Identifier{r.Schema, r.Name}.Sanitize()
	if c := r.column(t.IDColumn); c != nil {
		t.IDType = c.Type
	}
	if c := r.column(t.InstanceColumn); c != nil {
		t.InstanceType = c.Type
	}
}

// fit judges whether rows of r are decoded at all: tables that write no WAL,
// or are not tables, never are.
func (r *relation) fit(name string) Finding {
	title := "table " + name
	switch {
	case r.Kind != "r" && r.Kind != "p":
		return unmet(title, name+" is "+kindName(r.Kind)+", wanted a table", "name a table in the configuration")
	case r.Persistence == "t":
		return unmet(title, "table "+name+" is temporary, wanted a permanent table", "name a permanent table in the configuration")
	case r.Persistence == "u" && !r.partitioned():
		return unmet(title, "table "+name+" is unlogged: its rows are not decoded and a crash empties it", "ALTER TABLE "+r.Display+" SET LOGGED")
	case len(r.Unlogged) > 0:
		return unmet(title, "table "+name+" has unlogged partitions: "+strings.Join(r.Unlogged, ", "), alterEach(r.Unlogged, "SET LOGGED"))
	case len(r.Foreign) > 0:
		return unmet(title, "table "+name+" has foreign tables as partitions: "+strings.Join(r.Foreign, ", ")+
			", their rows are not decoded", r.detach(r.Foreign))
	}
	return met(title, "")
}

func alterEach(tables []string, action string) string {
	statements := make([]string, len(tables))
	for i, t := range tables {
		statements[i] = "ALTER TABLE " + t + " " + action
	}
	return strings.Join(statements, "; ")
}

// detach takes partitions away from r. Those of a partition of r must be
// detached from that instead.
func (r *relation) detach(partitions []string) string {
	statements := make([]string, len(partitions))
	for i, t := range partitions {
		statements[i] = "ALTER TABLE " + r.Display + " DETACH PARTITION " + t
	}
	return strings.Join(statements, "; ")
}

func kindName(kind string) string {
	switch kind {
	case "v":
		return "a view"
	case "m":
		return "a materialized view"
	case "f":
		return "a foreign table"
	case "S":
		return "a sequence"
	case "i", "I":
		return "an index"
	case "c":
		return "a composite type"
	default:
		return "not a table (relkind " + kind + ")"
	}
}

func (in *inspection) idColumn(r *relation, t *ResolvedTable) Finding {
	return in.integerColumn(r, t.Name, t.IDColumn)
}

func columnTitle(table, column string) string { return "column " + table + "." + column }

func (in *inspection) integerColumn(r *relation, table, name string) Finding {
	c := r.column(name)
	if c == nil {
		return r.noColumn(table, name)
	}
	title := columnTitle(table, name)
	if !isInteger(c.Type) {
		return unmet(title, title+" is of type "+c.TypeText+", wanted smallint, integer or bigint",
			"ALTER TABLE "+r.Display+" ALTER COLUMN "+quoteIdent(name)+" TYPE bigint USING "+quoteIdent(name)+"::bigint").on(table, name)
	}
	return in.sent(c, table).on(table, name)
}

func (in *inspection) instanceColumn(r *relation, table, name string) Finding {
	c := r.column(name)
	if c == nil {
		return r.noColumn(table, name)
	}
	title := columnTitle(table, name)
	if !namesInstance(c) {
		return unmet(title, title+" is of type "+c.TypeText+", wanted text, varchar, char(n), name, an enum, uuid, smallint, integer or bigint",
			"ALTER TABLE "+r.Display+" ALTER COLUMN "+quoteIdent(name)+" TYPE text USING "+quoteIdent(name)+"::text").on(table, name)
	}
	return in.sent(c, table).on(table, name)
}

// sent judges whether the server sends the column at all: generated columns
// are sent from version 18 on, and then only stored ones.
func (in *inspection) sent(c *column, table string) Finding {
	title := columnTitle(table, c.Name)
	if c.Generated == "" || c.Generated == "s" && in.facts.server.Version >= 180000 {
		return met(title, c.TypeText)
	}
	return unmet(title, title+" is a generated column, which this server does not publish",
		"ALTER TABLE "+table+" ALTER COLUMN "+quoteIdent(c.Name)+" DROP EXPRESSION")
}

func (r *relation) noColumn(table, name string) Finding {
	title := columnTitle(table, name)
	return unmet(title, "table "+table+" has no column "+name+didYouMean(name, r.columnNames()),
		"name the right column in the configuration").on(table, name)
}

func isInteger(oid uint32) bool {
	return oid == pgtype.Int2OID || oid == pgtype.Int4OID || oid == pgtype.Int8OID
}

// namesInstance accepts what is the same text in both formats of the
// protocol, and the few types whose binary form the decoder knows. Of domains
// it accepts only those over a text.
func namesInstance(c *column) bool {
	texts := []uint32{pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID, pgtype.NameOID}
	return slices.Contains(texts, c.BaseType) || c.BaseKind == "e" || isInteger(c.Type) || c.Type == pgtype.UUIDOID
}

// readable judges the right to read the columns that are loaded at the start.
func (in *inspection) readable(r *relation, table string, columns []string) Finding {
	srv := in.facts.server
	title := "select on " + table
	if !r.SchemaUsable {
		return unmet(title, "role "+srv.Role+" may not use schema "+r.Schema+" of table "+table,
			"GRANT USAGE ON SCHEMA "+quoteIdent(r.Schema)+" TO "+srv.QuotedRole)
	}
	for _, name := range columns {
		if c := r.column(name); c != nil && !c.Readable {
			return unmet(title, "role "+srv.Role+" may not read "+columnTitle(table, name),
				"GRANT SELECT ("+strings.Join(r.quotedAmong(columns), ", ")+") ON "+r.Display+" TO "+srv.QuotedRole).on(table, name)
		}
	}
	return met(title, "role "+srv.Role)
}

// quotedAmong are those of columns that the table has, as SQL writes them.
func (r *relation) quotedAmong(columns []string) []string {
	var quoted []string
	for _, name := range columns {
		if r.column(name) != nil {
			quoted = append(quoted, quoteIdent(name))
		}
	}
	return quoted
}

// rowSecurity keeps RULES 22: rows that a policy hides would be skipped.
func (in *inspection) rowSecurity(r *relation, table string) Finding {
	title := "row-level security on " + table
	if r.RowsHidden {
		return unmet(title, "row-level security of table "+table+" hides rows from role "+in.facts.server.Role,
			"ALTER ROLE "+in.facts.server.QuotedRole+" BYPASSRLS")
	}
	return met(title, "")
}

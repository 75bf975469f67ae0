package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// sequence is what the catalog says of a sequence, or of what was taken for
// one (then IsSequence is false).
type sequence struct {
	OID                           uint32
	Schema, Name, Display         string
	Kind, Persistence             string
	Filenode                      uint32
	SchemaUsable, Readable        bool
	IsSequence                    bool
	Increment, Min, Max, CacheLen int64
	Cycle                         bool
}

// The sequence itself is not read: reading it would wait for a lock (RULES 6).
const sequencesSQL = `
SELECT c.oid, n.nspname, c.relname, pg_catalog.format('%I.%I', n.nspname, c.relname),
       c.relkind::text, c.relpersistence::text, COALESCE(pg_catalog.pg_relation_filenode(c.oid), 0),
       COALESCE(pg_catalog.has_schema_privilege(n.oid, 'USAGE'), false),
       COALESCE(pg_catalog.has_table_privilege(c.oid, 'SELECT'), false),
       s.seqrelid IS NOT NULL, COALESCE(s.seqincrement, 0), COALESCE(s.seqmin, 0), COALESCE(s.seqmax, 0),
       COALESCE(s.seqcache, 0), COALESCE(s.seqcycle, false)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
 WHERE c.oid = ANY($1::oid[])`

func readSequences(ctx context.Context, conn *pgx.Conn, oids []uint32) (map[uint32]*sequence, error) {
	rows, err := conn.Query(ctx, sequencesSQL, oids)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByPos[sequence])
	sequences := make(map[uint32]*sequence, len(found))
	for _, s := range found {
		sequences[s.OID] = s
	}
	return sequences, err
}

// sequenceOIDs lists every sequence that may turn out to be a stream's.
func (f *facts) sequenceOIDs(spec Spec) []uint32 {
	oids := []uint32{}
	for _, name := range spec.sequenceNames() {
		oids = append(oids, f.names[name].oid)
	}
	for _, stream := range spec.Streams {
		for _, t := range stream.Tables {
			oids = append(oids, f.drawnFrom(t)...)
		}
	}
	return oids
}

// drawnFrom lists the sequences that the id column of t draws from: that of
// its identity, else those of its default, else those it owns. A default comes
// before what is owned: a table that was given another's sequence still owns
// the one it was made with.
func (f *facts) drawnFrom(t Table) []uint32 {
	r := f.relation(t.Name)
	if r == nil {
		return nil
	}
	c := r.column(t.IDColumn)
	switch {
	case c == nil:
		return nil
	case len(c.Identity) > 0:
		return c.Identity
	case len(c.Drawn) > 0:
		return c.Drawn
	default:
		return c.Owned
	}
}

// sequence finds the stream's sequence and judges it.
func (in *inspection) sequence(s *ResolvedStream) []Finding {
	oid, findings := in.findSequence(s)
	q := in.facts.sequences[oid]
	if q == nil {
		return findings
	}
	title := "sequence " + q.Display
	if s.Sequence != "" {
		title = "sequence " + s.Sequence
	}
	if q.IsSequence {
		s.SequenceOID, s.SequenceFilenode = q.OID, q.Filenode
		s.SequenceName = pgx.Identifier{q.Schema, q.Name}.Sanitize()
	}
	return append(findings, q.fit(title), in.sequenceReadable(q))
}

// findSequence returns the stream's sequence, 0 where it cannot be told.
func (in *inspection) findSequence(s *ResolvedStream) (uint32, []Finding) {
	if s.Sequence == "" {
		return in.discoverSequence(s)
	}
	oid := in.facts.names[s.Sequence].oid
	if in.facts.sequences[oid] == nil {
		return 0, []Finding{in.missing("sequence", s.Sequence, "create the sequence, or name the right one in the configuration")}
	}
	return oid, in.otherDefaults(s, oid)
}

// discoverSequence asks the id columns: all must name the same one.
func (in *inspection) discoverSequence(s *ResolvedStream) (uint32, []Finding) {
	var found uint32
	var foundIn string
	for _, t := range s.Tables {
		if t.IDType == 0 {
			continue // said already: no such table or column
		}
		oids := in.facts.drawnFrom(t.Table)
		column := t.Name + "." + t.IDColumn
		switch {
		case len(oids) == 0:
			return 0, []Finding{unmet("sequence of "+column, columnTitle(t.Name, t.IDColumn)+
				" has no sequence: no identity, no default that draws from one, none that it owns",
				"name the sequence in the configuration (sequence: …)").on(t.Name, t.IDColumn)}
		case len(oids) > 1:
			return 0, []Finding{unmet("sequence of "+column, columnTitle(t.Name, t.IDColumn)+
				" has several sequences: "+in.sequenceNames(oids), "name the right one in the configuration (sequence: …)").on(t.Name, t.IDColumn)}
		case found != 0 && oids[0] != found:
			return 0, []Finding{in.disagreement(s, foundIn, found, t, oids[0])}
		}
		found, foundIn = oids[0], column
	}
	return found, nil
}

func (in *inspection) disagreement(s *ResolvedStream, first string, sequence uint32, t ResolvedTable, other uint32) Finding {
	r, shared := in.facts.relation(t.Name), in.facts.sequences[sequence]
	column := t.Name + "." + t.IDColumn
	f := unmet("sequence of "+column, "the tables of stream "+s.Name+" draw from different sequences: "+first+" from "+
		in.sequenceNames([]uint32{sequence})+", "+column+" from "+in.sequenceNames([]uint32{other}), "")
	if shared != nil && len(r.column(t.IDColumn).Identity) == 0 {
		f.Fix = "ALTER TABLE " + r.Display + " ALTER COLUMN " + quoteIdent(t.IDColumn) + " SET DEFAULT nextval(" +
			quoteLiteral(shared.Display) + ")"
	} else {
		f.Fix = "let all tables draw from one sequence and name it in the configuration (sequence: …)"
	}
	return f.on(t.Name, t.IDColumn)
}

func (in *inspection) sequenceNames(oids []uint32) string {
	names := make([]string, 0, len(oids))
	for _, oid := range oids {
		if q := in.facts.sequences[oid]; q != nil {
			names = append(names, q.Display)
		}
	}
	return strings.Join(names, ", ")
}

// otherDefaults warns of id columns that draw from another sequence than the
// configured one: rows that take their default would be late. The ids of a
// descending stream may live beside another stream's default.
func (in *inspection) otherDefaults(s *ResolvedStream, sequence uint32) []Finding {
	if s.Descending {
		return nil
	}
	var findings []Finding
	for _, t := range s.Tables {
		drawn := in.facts.drawnFrom(t.Table)
		if len(drawn) == 0 || slices.Contains(drawn, sequence) {
			continue
		}
		column := columnTitle(t.Name, t.IDColumn)
		findings = append(findings, warning("sequence of "+t.Name+"."+t.IDColumn,
			column+" draws from "+in.sequenceNames(drawn)+" by default, the stream from "+s.Sequence+
				": rows that take the default would be missed",
			"name the sequence that writers draw from (sequence: …)").on(t.Name, t.IDColumn))
	}
	return findings
}

// fit judges whether last_value and the lock on the sequence say what the
// fence takes them to say (RULES 4, DESIGN fact 2).
func (q *sequence) fit(title string) Finding {
	if !q.IsSequence {
		return unmet(title, title+" is not a sequence but "+kindName(q.Kind), "name a sequence in the configuration")
	}
	if q.Increment < 0 {
		return unmet(title, fmt.Sprintf("%s counts downwards (INCREMENT %d), wanted 1: a descending stream negates an ascending sequence", title, q.Increment),
			"draw the ids as -nextval(…) from a sequence that counts 1, 2, …")
	}
	var wrong, mend []string
	if q.Increment != 1 {
		wrong, mend = append(wrong, fmt.Sprintf("INCREMENT %d, wanted 1", q.Increment)), append(mend, "INCREMENT BY 1")
	}
	if q.CacheLen != 1 {
		wrong = append(wrong, fmt.Sprintf("CACHE %d, wanted 1 (sessions keep the ids they cached until they end)", q.CacheLen))
		mend = append(mend, "CACHE 1")
	}
	if q.Cycle {
		wrong, mend = append(wrong, "CYCLE, wanted NO CYCLE"), append(mend, "NO CYCLE")
	}
	if q.Min < 1 {
		wrong = append(wrong, fmt.Sprintf("MINVALUE %d, wanted 1 or more (one that stands below 1 needs RESTART WITH 1 too)", q.Min))
		mend = append(mend, "MINVALUE 1 START WITH 1")
	}
	if q.Persistence == "u" {
		wrong, mend = append(wrong, "no WAL (it is unlogged)"), append(mend, "SET LOGGED")
	}
	if len(wrong) == 0 {
		return met(title, "")
	}
	return unmet(title, title+" has "+strings.Join(wrong, "; "), alterSequence(q.Display, mend))
}

// alterSequence mends all in one statement but SET LOGGED, which must stand alone.
func alterSequence(name string, mend []string) string {
	var statements, options []string
	for _, m := range mend {
		if m == "SET LOGGED" {
			statements = append(statements, "ALTER SEQUENCE "+name+" "+m)
		} else {
			options = append(options, m)
		}
	}
	if len(options) > 0 {
		statements = append(statements, "ALTER SEQUENCE "+name+" "+strings.Join(options, " "))
	}
	return strings.Join(statements, "; ")
}

func (in *inspection) sequenceReadable(q *sequence) Finding {
	srv, title := in.facts.server, "select on sequence "+q.Display
	switch {
	case !q.SchemaUsable:
		return unmet(title, "role "+srv.Role+" may not use schema "+q.Schema+" of sequence "+q.Display,
			"GRANT USAGE ON SCHEMA "+quoteIdent(q.Schema)+" TO "+srv.QuotedRole)
	case !q.Readable:
		return unmet(title, "role "+srv.Role+" may not read sequence "+q.Display,
			"GRANT SELECT ON SEQUENCE "+q.Display+" TO "+srv.QuotedRole)
	default:
		return met(title, "role "+srv.Role)
	}
}

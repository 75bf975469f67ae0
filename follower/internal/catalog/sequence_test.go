package catalog_test

import (
	"testing"

	"github.com/tidemark-pg/tidemark/follower/internal/catalog"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

func sequenceCases() []badCase {
	const stream = catalog.ScopeStream
	const name = "sequence public.events_id_seq"
	named := func(sequence string) func(*catalog.Spec) {
		return func(s *catalog.Spec) { s.Streams[0].Sequence = sequence }
	}
	return []badCase{
		{name: "CACHE 20", scope: stream, finding: name, spoil: "ALTER SEQUENCE events_id_seq CACHE 20", detail: []string{"public.events_id_seq", "CACHE 20, wanted 1"}},
		{name: "INCREMENT 2", scope: stream, finding: name, spoil: "ALTER SEQUENCE events_id_seq INCREMENT 2", detail: []string{"public.events_id_seq", "INCREMENT 2, wanted 1"}},
		{name: "CYCLE", scope: stream, finding: name, spoil: "ALTER SEQUENCE events_id_seq CYCLE", detail: []string{"public.events_id_seq", "CYCLE"}},
		{name: "MINVALUE 0", scope: stream, finding: name, spoil: "ALTER SEQUENCE events_id_seq MINVALUE -5", detail: []string{"public.events_id_seq", "MINVALUE -5"}},
		{
			name: "everything at once", scope: stream, finding: name, spoil: "ALTER SEQUENCE events_id_seq CACHE 3 INCREMENT 7 CYCLE",
			detail: []string{"CACHE 3", "INCREMENT 7", "CYCLE"},
		},
		{
			name: "counts downwards", scope: stream, finding: "sequence down", spec: named("down"),
			spoil: "CREATE SEQUENCE down INCREMENT -1; GRANT SELECT ON down TO %s", detail: []string{"down", "INCREMENT -1"}, fix: "nextval",
		},
		{
			name: "no select", scope: stream, finding: "select on " + name, spoil: "REVOKE SELECT ON events_id_seq FROM %s",
			detail: []string{"public.events_id_seq", "may not read"},
		},
		{
			name: "schema of an owned sequence without usage", scope: stream, finding: "select on sequence hidden.ids",
			spoil:  `CREATE SCHEMA hidden; CREATE SEQUENCE hidden.ids; GRANT SELECT ON hidden.ids TO %s; ALTER TABLE extra ALTER id SET DEFAULT nextval('hidden.ids'); ALTER TABLE events ALTER id DROP IDENTITY, ALTER id SET DEFAULT nextval('hidden.ids')`,
			detail: []string{"hidden"},
		},
		{
			name: "no sequence at all", scope: stream, finding: "sequence of public.extra.id", spoil: "ALTER TABLE extra ALTER id DROP DEFAULT",
			detail: []string{"public.extra.id", "no sequence"}, fix: "sequence:",
		},
		{
			name: "several sequences", scope: stream, finding: "sequence of public.extra.id",
			spoil:  "CREATE SEQUENCE second; ALTER TABLE extra ALTER id SET DEFAULT nextval('second') + nextval('events_id_seq')",
			detail: []string{"public.extra.id", "public.second", "public.events_id_seq"}, fix: "sequence:",
		},
		{
			name: "tables disagree", scope: stream, finding: "sequence of public.extra.id", spoil: "CREATE SEQUENCE second; ALTER TABLE extra ALTER id SET DEFAULT nextval('second')",
			detail: []string{"public.events.id", "public.events_id_seq", "public.extra.id", "public.second"},
		},
		{name: "no such sequence", scope: stream, finding: "sequence nope", spec: named("nope"), detail: []string{"nope does not exist"}, fix: "configuration"},
		{name: "bad name of a sequence", scope: stream, finding: `sequence "nope`, spec: named(`"nope`), detail: []string{`"nope`}, fix: "n"},
		{name: "table as sequence", scope: stream, finding: "sequence events", spec: named("events"), detail: []string{"events is not a sequence"}, fix: "configuration"},
	}
}

func testUnloggedSequence(t *testing.T, s *server) {
	d := s.database(t)
	pgtest.Exec(t, d.owner, d.fill("CREATE UNLOGGED SEQUENCE u CACHE 5; GRANT SELECT ON u TO %s; "+
		"ALTER TABLE extra ALTER id SET DEFAULT nextval('u'); ALTER TABLE events ALTER id DROP IDENTITY, ALTER id SET DEFAULT nextval('u')"))
	f := finding(t, inspect(t, d.user, goodSpec()), "sequence public.u")
	if f.OK {
		t.Fatal("an unlogged sequence passes")
	}
	wantWords(t, "Detail", f.Detail, "unlogged", "CACHE 5")
	pgtest.Exec(t, d.owner, f.Fix)
	if p := inspect(t, d.user, goodSpec()).Problem(); p != nil {
		t.Errorf("after %s: %s", f.Fix, p.Detail)
	}
}

// The sequence is the one that writers draw from, however the column has it.
func testSequenceIsFound(t *testing.T, s *server) {
	for _, c := range []struct{ name, create, table, column, want string }{
		{"serial", "CREATE TABLE x (n serial)", "x", "n", `"public"."x_n_seq"`},
		{"smallserial", "CREATE TABLE x (n smallserial)", "x", "n", `"public"."x_n_seq"`},
		{"identity always", "CREATE TABLE x (n int GENERATED ALWAYS AS IDENTITY)", "x", "n", `"public"."x_n_seq"`},
		{"plain default", "CREATE SEQUENCE q; CREATE TABLE x (n int8 DEFAULT nextval('q'))", "x", "n", `"public"."q"`},
		{"descending default", "CREATE SEQUENCE q; CREATE TABLE x (n int8 DEFAULT -nextval('q'))", "x", "n", `"public"."q"`},
		{"owned, no default", "CREATE TABLE x (n int8); CREATE SEQUENCE q OWNED BY x.n", "x", "n", `"public"."q"`},
		{"default before owned", "CREATE SEQUENCE q; CREATE TABLE x (n bigserial); ALTER TABLE x ALTER n SET DEFAULT nextval('q')", "x", "n", `"public"."q"`},
		{"partitioned root", "CREATE TABLE x (n bigserial) PARTITION BY RANGE (n); CREATE TABLE x1 PARTITION OF x DEFAULT", "x", "n", `"public"."x_n_seq"`},
		{"odd names", `CREATE SCHEMA "My ""S"; CREATE TABLE "My ""S"."T.t" ("I d" serial); GRANT USAGE ON SCHEMA "My ""S" TO %s; GRANT SELECT ON ALL SEQUENCES IN SCHEMA "My ""S" TO %s; GRANT SELECT ON "My ""S"."T.t" TO %s`, `"My ""S"."T.t"`, "I d", `"My ""S"."T.t_I d_seq"`},
		{"renamed", "CREATE TABLE x (n serial); ALTER SEQUENCE x_n_seq RENAME TO y", "x", "n", `"public"."y"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := s.database(t)
			pgtest.Exec(t, d.owner, d.fill(c.create), d.fill("GRANT SELECT ON ALL TABLES IN SCHEMA public TO %s; GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO %s"))
			spec := goodSpec()
			only(catalog.Table{Name: c.table, IDColumn: c.column})(&spec)
			spec.Slot.Kind = catalog.SlotNone // the publication does not matter here
			snap := inspect(t, d.user, spec)
			if p := snap.Problem(); p != nil {
				t.Fatalf("%s: %s", p.Name, p.Detail)
			}
			if got := snap.Streams[0].SequenceName; got != c.want {
				t.Errorf("sequence %s, want %s", got, c.want)
			}
		})
	}
}

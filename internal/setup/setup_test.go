package setup_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/internal/config"
	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
	"github.com/tidemark-pg/tidemark/internal/setup"
)

const (
	eventsTable = `CREATE TABLE public.events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, instance_name text, payload jsonb)`
	readme      = "streams:\n  - name: events\n    tables: [{name: public.events, id_column: id, instance_column: instance_name}]\n"
	synapse     = `CREATE TABLE public.stream_positions (stream_name text, instance_name text NOT NULL, stream_id bigint NOT NULL);
		CREATE UNIQUE INDEX positions_idx ON public.stream_positions (stream_name, instance_name);
		INSERT INTO public.stream_positions VALUES ('events', 'a', 1)`
)

// bench is one server, and the databases of the subtests on it. A slot of a
// subtest belongs to its database.
type bench struct {
	cluster *pgcluster.Cluster
	admin   *pgx.Conn
}

func start(t *testing.T, options ...pgtest.Option) *bench {
	t.Helper()
	c := pgtest.Start(t, options...)
	return &bench{c, pgtest.Connect(t, c)}
}

// database makes a database with a schema and connects to it.
func (b *bench) database(t *testing.T, name string, schema ...string) *pgx.Conn {
	t.Helper()
	pgtest.Exec(t, b.admin, "CREATE DATABASE "+name)
	conn := pgtest.ConnectURL(t, b.cluster.URL("", name))
	pgtest.Exec(t, conn, schema...)
	return conn
}

// configure parses a configuration for a database of this server; its slot is
// named like the database.
func (b *bench) configure(t *testing.T, database, text string) *config.Config {
	t.Helper()
	if !strings.Contains(text, "slot:") {
		text += "slot: {name: " + database + "}\n"
	}
	cfg, err := config.Parse("f", []byte("database: {url: \""+b.cluster.URL("", database)+"\"}\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func plan(t *testing.T, conn *pgx.Conn, cfg *config.Config) []setup.Statement {
	t.Helper()
	statements, err := setup.Plan(t.Context(), conn, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return statements
}

func apply(t *testing.T, conn *pgx.Conn, cfg *config.Config) {
	t.Helper()
	if err := setup.Apply(t.Context(), conn, plan(t, conn, cfg), nil); err != nil {
		t.Fatal(err)
	}
	if again := plan(t, conn, cfg); len(again) > 0 {
		t.Errorf("a second plan is not empty: %s", printed(t, again))
	}
}

func printed(t *testing.T, statements []setup.Statement) string {
	t.Helper()
	var b strings.Builder
	if err := setup.Print(&b, statements); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// psql runs SQL with the real program.
func (b *bench) psql(t *testing.T, database, script string, args ...string) {
	t.Helper()
	program, err := exec.LookPath("psql")
	if err != nil {
		program = filepath.Join(b.cluster.Binaries().Dir, "psql")
	}
	cmd := exec.CommandContext(t.Context(), program, append([]string{"-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", b.cluster.URL("", database)}, args...)...)
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
}

// catalog describes everything setup can change in a database, apart from oids
// and, in place of the slot's name, the database's.
func catalog(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `
		SELECT concat_ws(' ', 'publication', to_jsonb(p) - 'oid' - 'pubowner') FROM pg_publication p
		UNION ALL SELECT concat_ws(' ', 'entry', p.pubname, r.prrelid::regclass, coalesce(r.prattrs::text, 'all'), pg_get_expr(r.prqual, r.prrelid))
		  FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
		UNION ALL SELECT concat_ws(' ', 'column', c.oid::regclass, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, col_description(c.oid, a.attnum))
		  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0
		UNION ALL SELECT concat_ws(' ', 'table', c.oid::regclass, c.relkind, c.relreplident, c.reloptions, obj_description(c.oid, 'pg_class'))
		  FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
		UNION ALL SELECT concat_ws(' ', 'index', pg_get_indexdef(x.indexrelid), x.indisreplident) FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid WHERE c.relnamespace = 'public'::regnamespace
		UNION ALL SELECT concat_ws(' ', 'slot', plugin, slot_type, temporary, slot_name = database, two_phase)
		  FROM pg_replication_slots WHERE database = current_database()
		ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// scenario is a schema, a configuration for it, and what of it must appear in
// the printed SQL.
type scenario struct {
	name, schema, config string
	contains             []string
}

func scenarios() []scenario {
	return []scenario{
		{"readme", eventsTable, readme, nil},
		{
			"weird", `CREATE TABLE "Weird ""Table" ("Id ""x" bigint, "select" text); CREATE SCHEMA "s.t"; CREATE TABLE "s.t"."a'b" (id int)`,
			"streams:\n  - name: \"it's; --\"\n    tables:\n      - {name: '\"Weird \"\"Table\"', id_column: 'Id \"x', instance_column: select}\n      - {name: '\"s.t\".\"a''b\"', id_column: id}\npublication: 'P \"q'\npublished: {table: '\"Pub\"'}\n",
			[]string{`CREATE PUBLICATION "P ""q" FOR TABLE "public"."Weird ""Table" ("Id ""x", "select"), "s.t"."a'b" ("id") WITH (publish = 'insert')`, `CREATE TABLE "public"."Pub"`},
		},
		{
			"partitioned", `CREATE TABLE events (id bigint, instance_name text) PARTITION BY RANGE (id); CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (100)`,
			readme,
			[]string{"(publish = 'insert', publish_via_partition_root = true)"},
		},
		{
			"both_ways", `CREATE TABLE a (id bigint, back int, w text, v text); CREATE TABLE b (id bigint)`,
			"streams:\n  - name: up\n    tables: [{name: a, id_column: id, instance_column: w}, {name: b, id_column: id}]\n  - name: down\n    direction: descending\n    tables: [{name: public.A, id_column: back, instance_column: v}]\n",
			[]string{`FOR TABLE "public"."a" ("id", "w", "back", "v"), "public"."b" ("id") WITH`},
		},
		{"announced", eventsTable, strings.Replace(readme, "    tables", "    allocation: announced\n    tables", 1), []string{"REPLICA IDENTITY USING INDEX \"stream_positions_pkey\""}},
		{
			"users_positions", eventsTable + ";" + synapse, strings.Replace(readme, "    tables", "    allocation: announced\n    tables", 1),
			[]string{`ALTER TABLE "public"."stream_positions" ALTER COLUMN "stream_name" SET NOT NULL`, `REPLICA IDENTITY USING INDEX "positions_idx"`},
		},
		{"inherited", `CREATE TABLE a (id bigint); CREATE TABLE a_child () INHERITS (a)`, "streams:\n  - {name: a, tables: [{name: a, id_column: id}]}\n", []string{`ONLY "public"."a" ("id")`}},
		{"temporary", eventsTable, readme + "slot: {temporary: true}\n", nil},
	}
}

// What --print shows does, with psql, what Apply does, and a teardown of either
// leaves the schema as it was.
func TestPrintedIsApplied(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, version pgtest.Option) {
		b := start(t, version)
		for _, s := range scenarios() {
			t.Run(s.name, func(t *testing.T) { b.roundTrip(t, s) })
		}
	})
}

func (b *bench) roundTrip(t *testing.T, s scenario) {
	applied, psqled := b.database(t, s.name, s.schema), b.database(t, s.name+"_psql", s.schema)
	cfg, other := b.configure(t, s.name, s.config), b.configure(t, s.name+"_psql", s.config)
	before := catalog(t, applied)

	script := printed(t, plan(t, psqled, other))
	for _, want := range s.contains {
		if !strings.Contains(script, want) {
			t.Errorf("printed SQL lacks %s:\n%s", want, script)
		}
	}
	if diff := cmp.Diff(before, catalog(t, psqled)); diff != "" {
		t.Errorf("planning changed the database:\n%s", diff)
	}
	b.psql(t, s.name+"_psql", script)
	apply(t, applied, cfg)
	after := catalog(t, applied)
	if diff := cmp.Diff(after, catalog(t, psqled)); diff != "" {
		t.Errorf("applied (-) and printed (+) differ:\n%s", diff)
	}
	if cmp.Equal(before, after) {
		t.Error("setup changed nothing")
	}

	down, err := setup.PlanTeardown(t.Context(), applied, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := setup.Apply(t.Context(), applied, down, nil); err != nil {
		t.Fatal(err)
	}
	restored := catalog(t, applied)
	if s.name == "users_positions" {
		before, restored = without(before, "stream_positions"), without(restored, "stream_positions")
	}
	if diff := cmp.Diff(before, restored); diff != "" {
		t.Errorf("setup and teardown left something:\n%s", diff)
	}
	if down, err = setup.PlanTeardown(t.Context(), applied, cfg); err != nil || len(down) > 0 {
		t.Errorf("a second teardown: %v, %v", down, err)
	}
}

func without(lines []string, word string) (rest []string) {
	for _, l := range lines {
		if !strings.Contains(l, word) {
			rest = append(rest, l)
		}
	}
	return rest
}

// RULES 21: publishing a table with a unique index only makes the updates of
// its own users fail, unless its replica identity is set first. And their rows
// survive a teardown.
func TestUsersPositionsTable(t *testing.T) {
	b := start(t)
	conn := b.database(t, "app", eventsTable, synapse)
	cfg := b.configure(t, "app", strings.Replace(readme, "    tables", "    allocation: announced\n    tables", 1))
	apply(t, conn, cfg)
	pgtest.Exec(t, conn, `UPDATE stream_positions SET stream_id = 2`, `INSERT INTO stream_positions VALUES ('events', 'a', 3)
		ON CONFLICT (stream_name, instance_name) DO UPDATE SET stream_id = excluded.stream_id`, `DELETE FROM stream_positions WHERE instance_name = 'none'`)
	down, err := setup.PlanTeardown(t.Context(), conn, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := setup.Apply(t.Context(), conn, down, nil); err != nil {
		t.Fatal(err)
	}
	var id int
	if err := conn.QueryRow(t.Context(), `SELECT stream_id FROM stream_positions`).Scan(&id); err != nil || id != 3 {
		t.Errorf("after teardown: %d, %v", id, err)
	}
	if !down[0].Alone || !strings.Contains(down[0].SQL, "drop_replication_slot") {
		t.Errorf("teardown does not begin with the slot: %s", printed(t, down))
	}
}

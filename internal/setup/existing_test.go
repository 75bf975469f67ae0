package setup_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/internal/config"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
	"github.com/tidemark-pg/tidemark/internal/setup"
)

func announcedReadme() string {
	return strings.Replace(readme, "    tables", "    allocation: announced\n    tables", 1)
}

// What others put into a publication stays as it is, and an entry of ours that
// is not as it should be is mended.
func TestExistingPublication(t *testing.T) {
	b := start(t)
	for _, c := range []struct{ name, existing, config, want string }{
		{
			"others", `CREATE TABLE other (id int PRIMARY KEY, flag boolean, w text); CREATE TABLE third (id int);
				CREATE PUBLICATION tidemark FOR TABLE other (id, flag) WHERE (flag), third WITH (publish = 'insert, truncate')`,
			readme, `events id,instance_name all; other id,flag flag; third all all|insert,truncate`,
		},
		{
			"covered", `CREATE TABLE other (id int PRIMARY KEY); CREATE PUBLICATION tidemark FOR TABLE other`,
			readme, `events id,instance_name all; other all all|insert,update,delete,truncate`,
		},
		{"ours", `CREATE PUBLICATION tidemark FOR TABLE events WHERE (id > 5)`, readme, `events id,instance_name all|insert`},
		{"more", `CREATE PUBLICATION tidemark FOR TABLE events (id, payload) WITH (publish = 'insert')`, readme, `events id,instance_name,payload all|insert`},
		{"wide", `CREATE PUBLICATION tidemark FOR TABLE events (id, instance_name, payload) WITH (publish = 'insert')`, readme, `events id,instance_name,payload all|insert`},
		{"empty", `CREATE PUBLICATION tidemark WITH (publish = 'update')`, readme, `events id,instance_name all|insert`},
		{"no_insert", `CREATE TABLE other (id int PRIMARY KEY); CREATE PUBLICATION tidemark FOR TABLE other WITH (publish = 'truncate')`, readme, `events id,instance_name all; other all all|insert,truncate`},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := b.database(t, c.name, eventsTable, c.existing)
			apply(t, conn, b.configure(t, c.name, c.config))
			if got := contents(t, conn, "tidemark"); got != c.want {
				t.Errorf("publication is\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// contents is "table columns filter; … | what is published".
func contents(t *testing.T, conn *pgx.Conn, publication string) (s string) {
	t.Helper()
	err := conn.QueryRow(t.Context(), `
		SELECT (SELECT string_agg(concat_ws(' ', r.prrelid::regclass,
		          coalesce((SELECT string_agg(a.attname, ',' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs)), 'all'),
		          coalesce(pg_get_expr(r.prqual, r.prrelid), 'all')), '; ' ORDER BY r.prrelid::regclass::text)
		        FROM pg_publication_rel r WHERE r.prpubid = p.oid) || '|' ||
		       concat_ws(',', CASE WHEN pubinsert THEN 'insert' END, CASE WHEN pubupdate THEN 'update' END, CASE WHEN pubdelete THEN 'delete' END, CASE WHEN pubtruncate THEN 'truncate' END)
		FROM pg_publication p WHERE pubname = $1`, publication).Scan(&s)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTeardownLeavesOthers(t *testing.T) {
	b := start(t)
	conn := b.database(t, "app", eventsTable, `CREATE TABLE other (id int PRIMARY KEY); CREATE PUBLICATION tidemark FOR TABLE other WITH (publish = 'insert')`)
	cfg := b.configure(t, "app", readme+"published: {table: other_positions}\n")
	apply(t, conn, cfg)
	pgtest.Exec(t, conn, `COMMENT ON TABLE other_positions IS 'mine now'`)
	down, err := setup.PlanTeardown(t.Context(), conn, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := setup.Apply(t.Context(), conn, down, nil); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, conn, "tidemark"); got != "other all all|insert" {
		t.Errorf("publication is %s", got)
	}
	pgtest.Exec(t, conn, `SELECT FROM other_positions`)
}

// Every obstacle is one line that says what to do.
func TestPlanErrors(t *testing.T) {
	b := start(t)
	pgtest.Exec(t, b.admin, `CREATE DATABASE elsewhere`, `CREATE ROLE plain LOGIN`, `CREATE ROLE owner`)
	elsewhere := pgtest.ConnectURL(t, b.cluster.URL("", "elsewhere"))
	pgtest.Exec(t, elsewhere, `SELECT pg_create_logical_replication_slot('elsewhere', 'pgoutput')`, `SELECT pg_create_physical_replication_slot('physical')`)
	for _, c := range []struct{ name, schema, config, want string }{
		{"no_table", ``, readme, `plan set-up: table public.events of stream "events" does not exist in database "no_table": create it, or mend its name in the configuration`},
		{"no_column", `CREATE TABLE events (id bigint)`, readme, `plan set-up: table "public"."events" has no column "instance_name": add it, or mend its name in the configuration`},
		{"a_view", `CREATE VIEW events AS SELECT 1 AS id, '' AS instance_name`, readme, `plan set-up: "public"."events" is not a table: name a table`},
		{"unlogged", `CREATE UNLOGGED TABLE events (id bigint, instance_name text)`, readme, `plan set-up: table "public"."events" is unlogged, so its rows cannot be decoded: ALTER TABLE "public"."events" SET LOGGED`},
		{"twice", eventsTable, readme + "  - {name: b, tables: [{name: events, id_column: id}]}\n", `plan set-up: table "public"."events" belongs to stream "events" and, as events, to stream "b": name it once for each direction`},
		{"all_tables", eventsTable + `; CREATE PUBLICATION tidemark FOR ALL TABLES`, readme, `plan set-up: publication "tidemark" is FOR ALL TABLES, which has no column lists: name another publication`},
		{"in_schema", eventsTable + `; CREATE PUBLICATION tidemark FOR TABLES IN SCHEMA public`, readme, `plan set-up: publication "tidemark" is FOR TABLES IN SCHEMA, which has no column lists: name another publication`},
		{
			"updates", `CREATE TABLE events (id bigint, instance_name text); CREATE TABLE other (id int PRIMARY KEY); CREATE PUBLICATION tidemark FOR TABLE other`, readme,
			`plan set-up: publication "tidemark" publishes updates, for other: with "public"."events" in it updates of that table would fail: name a publication of its own`,
		},
		{"no_index", eventsTable + `; CREATE TABLE stream_positions (stream_name text, instance_name text, stream_id bigint)`, announcedReadme(), `plan set-up: table "public"."stream_positions" has no unique index to publish updates by: CREATE UNIQUE INDEX ON "public"."stream_positions" (stream_name, instance_name)`},
		{"positions_columns", eventsTable + `; CREATE TABLE stream_positions (stream_name text)`, announcedReadme(), `plan set-up: table "public"."stream_positions" has no column "instance_name": add it, or mend its name in the configuration`},
		{"not_published", eventsTable, readme + "published: {table: pg_catalog.pg_class}\n", `plan set-up: table "pg_catalog"."pg_class" has no column "stream": it is not a table of published positions; name another as published.table`},
		{"no_schema", eventsTable, readme + "published: {table: nowhere.kept}\n", `plan set-up: schema "nowhere" does not exist: CREATE SCHEMA "nowhere"`},
		{"other_database", eventsTable, readme + "slot: {name: elsewhere}\n", `plan set-up: slot "elsewhere" belongs to database "elsewhere", not "other_database": choose another slot.name, or drop that slot`},
		{"physical_slot", eventsTable, readme + "slot: {name: physical}\n", `plan set-up: slot "physical" is a physical slot: choose another slot.name, or drop that slot`},
		{"other_plugin", eventsTable + `; SELECT pg_create_logical_replication_slot('decoding', 'test_decoding')`, readme + "slot: {name: decoding}\n", `plan set-up: slot "decoding" uses plugin test_decoding, not pgoutput: choose another slot.name, or drop that slot`},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := b.database(t, c.name)
			if c.schema != "" {
				pgtest.Exec(t, conn, strings.Split(c.schema, "; SELECT")[0])
				if _, slot, ok := strings.Cut(c.schema, "; SELECT"); ok {
					pgtest.Exec(t, conn, "SELECT"+slot)
				}
			}
			_, err := setup.Plan(t.Context(), conn, b.configure(t, c.name, c.config))
			if err == nil || err.Error() != c.want {
				t.Errorf("error %v\n want %s", err, c.want)
			}
		})
	}
}

func TestPlanNamesMissingRights(t *testing.T) {
	b := start(t)
	pgtest.Exec(t, b.admin, `CREATE ROLE plain LOGIN`, `CREATE ROLE owner`)
	admin := b.database(t, "app", eventsTable, `ALTER TABLE events OWNER TO owner`, `REVOKE CREATE ON SCHEMA public FROM PUBLIC`)
	cfg := b.configure(t, "app", readme)
	conn := pgtest.ConnectURL(t, b.cluster.URL("plain", "app"))
	_, err := setup.Plan(t.Context(), conn, cfg)
	want := `plan set-up: role "plain" lacks rights: as a superuser run ALTER ROLE "plain" REPLICATION; GRANT CREATE ON SCHEMA "public" TO "plain"; ` +
		`GRANT CREATE ON DATABASE "app" TO "plain"; GRANT "owner" TO "plain" (the owner of "public"."events")`
	if err == nil || err.Error() != want {
		t.Fatalf("error %v\n want %s", err, want)
	}
	pgtest.Exec(t, admin, `ALTER ROLE "plain" REPLICATION; GRANT CREATE ON SCHEMA "public" TO "plain"; GRANT CREATE ON DATABASE "app" TO "plain"; GRANT "owner" TO "plain"`)
	apply(t, conn, cfg)
}

// Nobody is told to give the rights of a superuser away, who owns the table or,
// because he ran setup before, the publication.
func TestPlanSendsToTheSuperuser(t *testing.T) {
	b := start(t)
	pgtest.Exec(t, b.admin, `CREATE ROLE plain LOGIN REPLICATION`)
	admin := b.database(t, "app", eventsTable)
	conn := pgtest.ConnectURL(t, b.cluster.URL("plain", "app"))
	refused := func(what string, cfg *config.Config) {
		t.Helper()
		_, err := setup.Plan(t.Context(), conn, cfg)
		want := `plan set-up: role "plain" does not own ` + what + `: run setup as "` + admin.Config().User + `", or as another superuser`
		if err == nil || err.Error() != want {
			t.Errorf("error %v\n want %s", err, want)
		}
	}
	cfg := b.configure(t, "app", readme)
	refused(`"public"."events"`, cfg)
	apply(t, admin, cfg)
	pgtest.Exec(t, admin, `CREATE TABLE more (LIKE events); ALTER TABLE more OWNER TO plain`)
	refused(`publication "tidemark"`, b.configure(t, "app", strings.Replace(readme, "public.events,", "public.more,", 1)))
}

func TestUnfitServers(t *testing.T) {
	b := start(t, pgtest.Setting("wal_level", "replica"))
	conn := b.database(t, "app", eventsTable)
	_, err := setup.Plan(t.Context(), conn, b.configure(t, "app", readme))
	if err == nil || err.Error() != "plan set-up: wal_level is replica: ALTER SYSTEM SET wal_level = logical, then restart the server" {
		t.Errorf("error %v", err)
	}
}

func TestFailoverSlot(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, version pgtest.Option) {
		b := start(t, version)
		conn := b.database(t, "app", eventsTable)
		cfg := b.configure(t, "app", readme+"slot: {name: app, failover: true}\n")
		if b.cluster.Major() < 17 {
			want := fmt.Sprintf("plan set-up: slot.failover needs PostgreSQL 17 and the server is %d: set it to false", b.cluster.Major())
			if _, err := setup.Plan(t.Context(), conn, cfg); err == nil || err.Error() != want {
				t.Errorf("error %v, want %s", err, want)
			}
			return
		}
		apply(t, conn, cfg)
		await(t, conn, `SELECT failover FROM pg_replication_slots WHERE slot_name = 'app'`)
		pgtest.Exec(t, conn, `SELECT pg_drop_replication_slot('app'), pg_create_logical_replication_slot('app', 'pgoutput')`)
		want := `plan set-up: slot "app" is there without failover: run teardown, then setup, or set slot.failover to false`
		if _, err := setup.Plan(t.Context(), conn, cfg); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	})
}

// A slot that lost its WAL can only be made anew.
func TestLostSlot(t *testing.T) {
	b := start(t, pgtest.Setting("max_slot_wal_keep_size", "1MB"), pgtest.Setting("max_wal_size", "32MB"), pgtest.Setting("min_wal_size", "32MB"))
	conn := b.database(t, "app", eventsTable)
	cfg := b.configure(t, "app", readme)
	apply(t, conn, cfg)
	for range 4 {
		pgtest.Exec(t, conn, `SELECT pg_logical_emit_message(false, 'x', 'x')`, `SELECT pg_switch_wal()`, `CHECKPOINT`)
	}
	await(t, conn, `SELECT wal_status = 'lost' FROM pg_replication_slots`)
	apply(t, conn, cfg)
	await(t, conn, `SELECT wal_status = 'reserved' FROM pg_replication_slots`)
}

func TestTeardownRefusesASlotInUse(t *testing.T) {
	b := start(t)
	conn := b.database(t, "app", eventsTable)
	cfg := b.configure(t, "app", readme)
	apply(t, conn, cfg)
	reader := pgtest.ConnectURL(t, b.cluster.URL("", "app")+"&replication=database")
	reader.PgConn().Exec(t.Context(), `START_REPLICATION SLOT app LOGICAL 0/0 (proto_version '1', publication_names 'tidemark')`)
	await(t, conn, `SELECT active_pid IS NOT NULL FROM pg_replication_slots WHERE slot_name = 'app'`)
	_, err := setup.PlanTeardown(t.Context(), conn, cfg)
	want := fmt.Sprintf(`plan teardown: slot "app" is read by the process with pid %d: stop it first`, reader.PgConn().PID())
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func await(t *testing.T, conn *pgx.Conn, condition string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		var holds bool
		if err := conn.QueryRow(t.Context(), condition).Scan(&holds); err != nil && !errors.Is(err, pgx.ErrNoRows) {
			t.Fatal(err)
		}
		if holds {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("never true: %s", condition)
		}
		pgtest.Exec(t, conn, "SELECT pg_sleep(0.01)")
	}
}

// The creation of a slot waits for whoever is writing, and says so.
func TestSlotCreationTellsWhomItWaitsFor(t *testing.T) {
	b := start(t, pgtest.Setting("max_prepared_transactions", "2"))
	conn := b.database(t, "app", eventsTable)
	writer := pgtest.ConnectURL(t, b.cluster.URL("", "app")+"&application_name=slow")
	pgtest.Exec(t, writer, `BEGIN; INSERT INTO events (payload) VALUES ('1'); PREPARE TRANSACTION 'it''s'`, `BEGIN; INSERT INTO events (payload) VALUES ('2')`)
	told := make(chan string, 2)
	ended := make(chan error, 1)
	statements := plan(t, conn, b.configure(t, "app", readme))
	go func() { ended <- setup.Apply(t.Context(), conn, statements, func(s string) { told <- s }) }()
	select {
	case line := <-told:
		for _, want := range []string{`create slot "app"`, "pid ", "(slow), open for ", "prepared transaction 'it''s'"} {
			if !strings.Contains(line, want) || strings.Contains(line, "\n") {
				t.Errorf("progress %q lacks %q", line, want)
			}
		}
	case err := <-ended:
		t.Fatalf("ended before the writers: %v", err)
	}
	pgtest.Exec(t, writer, `COMMIT`, `COMMIT PREPARED 'it''s'`)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if len(told) > 0 {
		t.Errorf("told again: %s", <-told)
	}
}

// A creation that is given up must not leave a slot behind later.
func TestSlotCreationIsCancelled(t *testing.T) {
	b := start(t)
	conn := b.database(t, "app", eventsTable)
	writer := pgtest.ConnectURL(t, b.cluster.URL("", "app"))
	pgtest.Exec(t, writer, `BEGIN; INSERT INTO events (payload) VALUES ('1')`)
	statements := plan(t, conn, b.configure(t, "app", readme))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- setup.Apply(ctx, conn, statements, nil) }()
	await(t, b.admin, `SELECT count(*) > 0 FROM pg_replication_slots`)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	pgtest.Exec(t, writer, `COMMIT`)
	var slots int
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_replication_slots`).Scan(&slots); err != nil || slots > 0 {
		t.Errorf("%d slots left, %v", slots, err)
	}
}

func TestApplyFailsWhole(t *testing.T) {
	b := start(t)
	conn := b.database(t, "app", eventsTable)
	cfg := b.configure(t, "app", readme)
	statements := plan(t, conn, cfg)
	before := catalog(t, conn)
	pgtest.Exec(t, conn, `CREATE PUBLICATION tidemark`)
	err := setup.Apply(t.Context(), conn, statements, nil)
	if want := `create publication "tidemark": publication "tidemark" already exists`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	pgtest.Exec(t, conn, `DROP PUBLICATION tidemark`)
	if after := catalog(t, conn); len(after) != len(before) {
		t.Errorf("something stayed: %v", after)
	}
}

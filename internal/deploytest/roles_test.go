package deploytest_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/slots"
	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second

// shop is a database of an owner who is no superuser. The stream table lies in
// a schema of its own, which nobody may use unasked.
const shop = `
CREATE ROLE owner LOGIN; CREATE DATABASE shop OWNER owner;
\connect shop owner
CREATE SCHEMA sales;
CREATE TABLE sales.orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, instance_name text, payload text);
INSERT INTO sales.orders (instance_name, payload) VALUES ('a', 'secret');
`

const shopStreams = `
streams:
  - name: orders
    tables: [{name: sales.orders, id_column: id, instance_column: instance_name}]
`

// rolesArgs are the variables for that table.
func rolesArgs() []string { return []string{"-v", "schema=sales", "-v", "table=orders"} }

// newShop makes the database, sets it up as its owner, as the page says, and
// makes the role.
func newShop(t *testing.T, version pgtest.Option, announced bool, options ...pgtest.Option) (c *pgcluster.Cluster, file string) {
	t.Helper()
	c = pgtest.Start(t, append(options, version)...)
	mustPsql(t, c, "", shop, "-v", "ON_ERROR_STOP=1")
	streams, args := shopStreams, rolesArgs()
	if announced {
		streams = strings.Replace(streams, "    tables", "    allocation: announced\n    writers: [a]\n    tables", 1)
		args = append(args, "-v", "positions_table=stream_positions")
	}
	mustPsql(t, c, "", "ALTER ROLE owner REPLICATION")
	succeeds(t, "setup", "-c", write(t, "owner.yaml", "database: {url: '"+c.URL("owner", "shop")+"'}"+streams))
	mustPsql(t, c, "", "ALTER ROLE owner NOREPLICATION")
	for range 2 { // it may be run again
		mustPsql(t, c, "shop", read(t, "roles.sql"), args...)
	}
	return c, write(t, "tidemark.yaml", "database: {url: '"+c.URL("tidemark", "shop")+"'}"+streams)
}

// The role passes every check; the one warning is about pg_read_all_stats, and
// goes with it.
func TestRolePassesEveryCheck(t *testing.T) {
	t.Parallel()
	pgtest.EachMajor(t, func(t *testing.T, version pgtest.Option) {
		t.Parallel()
		for _, announced := range []bool{false, true} {
			c, file := newShop(t, version, announced)
			if out := succeeds(t, "check", "-c", file); strings.Count(out, "to mend it") != 1 || !strings.Contains(out, "GRANT pg_read_all_stats TO tidemark") {
				t.Errorf("announced %t: check says\n%s", announced, out)
			}
			mustPsql(t, c, "shop", read(t, "roles.sql"), append(rolesArgs(), "-v", "stats=true")...)
			if out := succeeds(t, "check", "-c", file); strings.Contains(out, "to mend it") {
				t.Errorf("announced %t: with stats check says\n%s", announced, out)
			}
		}
	})
}

// Everything runs with it: positions, the slot, the table of published
// positions, and looking at slots.
func TestRoleRunsEverything(t *testing.T) {
	t.Parallel()
	pgtest.EachMajor(t, func(t *testing.T, version pgtest.Option) {
		t.Parallel()
		c, _ := newShop(t, version, false)
		// From here on a lost slot, too, is made anew by the role itself.
		mustPsql(t, c, "shop", "SELECT pg_drop_replication_slot('tidemark')")
		var logged strings.Builder
		last := followShop(t, c, &logged)
		complaints := strings.Count(logged.String(), "level=WARN") + strings.Count(logged.String(), "level=ERROR")
		if complaints != 1 || !strings.Contains(logged.String(), "slot is missing: making it") {
			t.Errorf("the follower complains of more than the slot:\n%s", logged.String())
		}
		conn := pgtest.ConnectURL(t, c.URL("tidemark", "shop"))
		var position int64
		var closed bool
		query(t, conn, "SELECT position, closed FROM public.tidemark_positions WHERE stream = 'orders'", &position, &closed)
		if position != last || !closed {
			t.Errorf("kept position %d, closed %t; want %d", position, closed, last)
		}
		sample, err := slots.Inspect(t.Context(), conn)
		if err != nil {
			t.Fatal(err)
		}
		if found := sample.Slots; len(found) != 1 || found[0].Name != "tidemark" || found[0].RestartLSN == nil {
			t.Errorf("slots %+v", found)
		}
	})
}

func query(t *testing.T, conn *pgx.Conn, sql string, into ...any) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), sql).Scan(into...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// followShop follows as the daemon does while rows are written, stops in good
// order and returns the last id.
func followShop(t *testing.T, c *pgcluster.Cluster, logged *strings.Builder) int64 {
	t.Helper()
	f, err := follower.New(follower.Config{
		Database: c.URL("tidemark", "shop"),
		Slot:     follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark", SkipAhead: 256 << 20},
		Streams: []follower.StreamConfig{{Name: "orders", Tables: []follower.TableConfig{
			{Name: "sales.orders", IDColumn: "id", InstanceColumn: "instance_name"},
		}}},
		Published: follower.PublishedConfig{Table: "public.tidemark_positions", Notify: "tidemark"},
		Logger:    slog.New(slog.NewTextHandler(logged, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	writer := pgtest.ConnectURL(t, c.URL("owner", "shop"))
	stream, _ := f.Stream("orders")
	var id int64
	for deadline := time.Now().Add(patience); stream.Status().Rows == 0; {
		query(t, writer, "INSERT INTO sales.orders (instance_name) VALUES ('b') RETURNING id", &id)
		wait, cancel := context.WithTimeout(t.Context(), patience)
		if err := stream.Wait(wait, id); err != nil || time.Now().After(deadline) {
			t.Fatalf("wait for %d: %v: %+v", id, err, stream.Status())
		}
		cancel()
		time.Sleep(20 * time.Millisecond) // until rows come from the slot: no event tells
	}
	return id
}

// SQL does not let the role change a stream, nor read more of it than ids and
// writers. What REPLICATION lets it do is on the page.
func TestRoleMayDoNothingElse(t *testing.T) {
	t.Parallel()
	pgtest.EachMajor(t, func(t *testing.T, version pgtest.Option) {
		t.Parallel()
		c, _ := newShop(t, version, true)
		conn := pgtest.ConnectURL(t, c.URL("tidemark", "shop"))
		var id int64
		var writer string
		query(t, conn, "SELECT id, instance_name FROM sales.orders", &id, &writer)
		for _, sql := range []string{
			"SELECT payload FROM sales.orders", "SELECT * FROM sales.orders", "COPY sales.orders TO STDOUT",
			"SELECT o FROM sales.orders o", "SELECT to_jsonb(o) FROM sales.orders o",
			"INSERT INTO sales.orders (instance_name) VALUES ('x')", "INSERT INTO sales.orders DEFAULT VALUES",
			"UPDATE sales.orders SET instance_name = 'x'", "DELETE FROM sales.orders", "TRUNCATE sales.orders",
			"SELECT id FROM sales.orders FOR UPDATE", "DO $$ BEGIN LOCK TABLE sales.orders IN ROW EXCLUSIVE MODE; END $$",
			"ALTER TABLE sales.orders ADD x int", "DROP TABLE sales.orders", "CREATE TABLE sales.x ()", "CREATE TABLE public.x ()",
			"SELECT nextval('sales.orders_id_seq')", "SELECT setval('sales.orders_id_seq', 1)", "CREATE SCHEMA x",
			"DELETE FROM tidemark_positions", "TRUNCATE tidemark_positions", "DROP TABLE tidemark_positions",
			"INSERT INTO stream_positions VALUES ('orders', 'x', 1)", "UPDATE stream_positions SET stream_id = 0", "DELETE FROM stream_positions",
			"CREATE PUBLICATION x FOR TABLE sales.orders", "ALTER PUBLICATION tidemark SET (publish = 'delete')", "CREATE ROLE x",
			"SELECT pg_read_file('postgresql.conf')", "ALTER SYSTEM SET wal_level = minimal", "SELECT * FROM pg_authid",
		} {
			_, err := conn.Exec(t.Context(), sql)
			var refused *pgconn.PgError
			if !errors.As(err, &refused) || refused.Code != "42501" {
				t.Errorf("%s: %v, want it refused", sql, err)
			}
		}
	})
}

// Nothing of it is too much: without any one right check fails, or the
// published positions are not kept.
func TestRoleHasNothingToSpare(t *testing.T) {
	t.Parallel()
	c, file := newShop(t, pgtest.Version(t, pgtest.Major(t)), true)
	for _, revoke := range []string{
		"ALTER ROLE tidemark NOREPLICATION",
		"ALTER ROLE tidemark NOLOGIN",
		"REVOKE USAGE ON SCHEMA sales FROM tidemark",
		"REVOKE SELECT (id) ON sales.orders FROM tidemark",
		"REVOKE SELECT (instance_name) ON sales.orders FROM tidemark",
		"REVOKE SELECT ON sales.orders_id_seq FROM tidemark",
		"REVOKE SELECT ON stream_positions FROM tidemark",
	} {
		mustPsql(t, c, "shop", revoke)
		if out, err := tidemark(t, nil, "check", "-c", file); err == nil {
			t.Errorf("after %s check is content:\n%s", revoke, out)
		}
		mustPsql(t, c, "shop", read(t, "roles.sql"), append(rolesArgs(), "-v", "positions_table=stream_positions")...)
		succeeds(t, "check", "-c", file)
	}
	for _, right := range []string{"SELECT", "INSERT", "UPDATE"} {
		mustPsql(t, c, "shop", "REVOKE "+right+" ON tidemark_positions FROM tidemark")
		warns(t, file, "! published table public.tidemark_positions", "GRANT SELECT, INSERT, UPDATE ON public.tidemark_positions TO tidemark")
		var logged strings.Builder
		followShop(t, c, &logged)
		if !strings.Contains(logged.String(), "published positions") {
			t.Errorf("without %s on the published table the follower says nothing:\n%s", right, logged.String())
		}
		mustPsql(t, c, "shop", read(t, "roles.sql"), rolesArgs()...)
	}
}

// Where published positions cannot be kept check warns, and does not fail.
func TestCheckWarnsWithoutPublishedTable(t *testing.T) {
	t.Parallel()
	c, file := newShop(t, pgtest.Version(t, pgtest.Major(t)), false)
	succeeds(t, "check", "-c", file)
	mustPsql(t, c, "shop", "CREATE SCHEMA kept; ALTER TABLE tidemark_positions SET SCHEMA kept")
	warns(t, file, "! published table public.tidemark_positions", "there is no such table", "run tidemark setup")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := write(t, "kept.yaml", string(text)+"published: {table: kept.tidemark_positions}\n")
	warns(t, elsewhere, "! published table kept.tidemark_positions", "permission denied for schema kept")
	mustPsql(t, c, "shop", "GRANT USAGE ON SCHEMA kept TO tidemark")
	if out := succeeds(t, "check", "-c", elsewhere); !strings.Contains(out, "✓ published table kept.tidemark_positions") {
		t.Errorf("check says\n%s", out)
	}
}

// warns wants check to succeed, and to say what it is told.
func warns(t *testing.T, file string, said ...string) {
	t.Helper()
	out := succeeds(t, "check", "-c", file)
	for _, s := range said {
		if !strings.Contains(out, s) {
			t.Errorf("check does not say %q:\n%s", s, out)
		}
	}
}

// A table without a column of writers, and one whose id column owns no
// sequence.
func TestRoleForOtherTables(t *testing.T) {
	t.Parallel()
	c := pgtest.Start(t)
	mustPsql(t, c, "", `CREATE SEQUENCE "Numbers"; CREATE TABLE plain (nr int DEFAULT nextval('"Numbers"'))`)
	args := []string{"-v", "table=plain", "-v", "id_column=nr", "-v", "instance_column=", "-v", "published_table=", "-v", "role=reader"}
	if out, err := psql(t, c, "", read(t, "roles.sql"), args...); err == nil || !strings.Contains(out, "-v sequence=") {
		t.Errorf("without a sequence: %v\n%s", err, out)
	}
	mustPsql(t, c, "", read(t, "roles.sql"), append(args, "-v", `sequence=public."Numbers"`)...)
	conn := pgtest.ConnectURL(t, c.URL("reader", ""))
	var n int64
	query(t, conn, `SELECT count(nr) + (SELECT last_value FROM "Numbers") FROM plain`, &n)
}

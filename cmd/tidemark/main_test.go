package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// asProgram is set for the processes that tests start: the test binary then is
// the program itself, with its real main.
const asProgram = "TIDEMARK_TEST_AS_PROGRAM"

// secret is the password in every connection string of these tests. Nothing
// that a program says may hold it.
const secret = "hunter2-and-more"

// server is shared by all tests that do not stop it; databases counts theirs.
var (
	server    *pgcluster.Cluster
	databases atomic.Int64
)

// suite is the tests with the server they share.
type suite struct{ *testing.M }

func (s suite) Run() int {
	var o pgcluster.Options
	for _, set := range []string{"max_replication_slots", "max_wal_senders", "max_connections"} {
		pgtest.Setting(set, "100")(&o)
	}
	c, err := pgcluster.Start(context.Background(), o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	server = c
	code := s.M.Run()
	if err := c.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(suite{m})
}

// events is the schema of most tests.
const events = `CREATE TABLE public.events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, instance_name text, payload text)`

// stream is the stream of most tests.
const stream = "streams: [{name: events, tables: [{name: public.events, id_column: id, instance_column: instance_name}]}]\n"

// database is a database of a server, and a configuration file for it.
type database struct {
	t       *testing.T
	cluster *pgcluster.Cluster
	name    string
	sql     *pgx.Conn
	file    string
}

// newDatabase makes a database with a schema. The slot is named like it.
func newDatabase(t *testing.T, c *pgcluster.Cluster, schema string) *database {
	t.Helper()
	d := &database{t: t, cluster: c, name: fmt.Sprintf("db%d", databases.Add(1))}
	pgtest.Exec(t, pgtest.Connect(t, c), "CREATE DATABASE "+d.name)
	d.sql = pgtest.ConnectURL(t, c.URL("", d.name))
	pgtest.Exec(t, d.sql, schema)
	d.configure(stream)
	return d
}

// ready is a database in which setup has been run.
func ready(t *testing.T, c *pgcluster.Cluster) *database {
	t.Helper()
	d := newDatabase(t, c, events)
	run(t, "setup", "-c", d.file).succeeds()
	return d
}

// url is the connection string of a user, "" for the superuser, with the secret.
func (d *database) url(user string) string {
	user, rest, _ := strings.Cut(strings.TrimPrefix(d.cluster.URL(user, d.name), "postgres://"), "@")
	return "postgres://" + user + ":" + secret + "@" + rest
}

// configure writes the configuration file anew, with any free port.
func (d *database) configure(text string) { d.configureAs("", text) }

func (d *database) configureAs(user, text string) {
	d.t.Helper()
	d.file = write(d.t, fmt.Sprintf("database: {url: '%s'}\nslot: {name: %s}\nhttp: {listen: '127.0.0.1:0'}\n%s", d.url(user), d.name, text))
}

// write makes a file and returns its path.
func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tidemark.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// exec runs SQL in the database.
func (d *database) exec(sql ...string) {
	d.t.Helper()
	pgtest.Exec(d.t, d.sql, sql...)
}

// insert inserts a row and returns its id.
func (d *database) insert() (id int64) {
	d.t.Helper()
	if err := d.sql.QueryRow(d.t.Context(), "INSERT INTO events (instance_name) VALUES ('a') RETURNING id").Scan(&id); err != nil {
		d.t.Fatal(err)
	}
	return id
}

// slotActive tells whether somebody reads the slot.
func (d *database) slotActive() bool {
	d.t.Helper()
	return d.slotReader() != 0
}

// slotReader is the process that reads the slot, 0 for nobody's.
func (d *database) slotReader() (pid int) {
	d.t.Helper()
	err := d.sql.QueryRow(d.t.Context(), "SELECT coalesce(active_pid, 0) FROM pg_replication_slots WHERE slot_name = $1", d.name).Scan(&pid)
	if err != nil {
		d.t.Fatal(err)
	}
	return pid
}

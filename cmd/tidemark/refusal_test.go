package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// refusal is a mistake in the database or the configuration.
type refusal struct {
	name   string
	schema string // in place of events
	after  string // SQL after setup; "" with schema: setup is not run
	stream string // in place of stream
	words  []string
}

func refusals() []refusal {
	table := func(name, column string) string {
		return "streams: [{name: events, tables: [{name: " + name + ", id_column: " + column + "}]}]\n"
	}
	serial := func(options string) string {
		return "CREATE TABLE public.events (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (" + options + "), instance_name text)"
	}
	return []refusal{
		{name: "missing table", stream: table("public.evnts", "id"), words: []string{"public.evnts", "public.events"}},
		{name: "missing column", stream: table("public.events", "no"), words: []string{"public.events", "no column no"}},
		{
			name: "missing sequence", schema: "CREATE TABLE public.events (id bigint PRIMARY KEY, instance_name text)",
			after: "SELECT 1", words: []string{"events", "sequence"},
		},
		{name: "sequence that is not there", stream: strings.Replace(stream, "name: events,", "name: events, sequence: public.nope,", 1), words: []string{"public.nope"}},
		{name: "cache", schema: serial("CACHE 20"), after: "SELECT 1", words: []string{"events_id_seq", "CACHE 1"}},
		{name: "increment", schema: serial("INCREMENT 2"), after: "SELECT 1", words: []string{"events_id_seq", "INCREMENT", "1"}},
		{name: "cycle", schema: serial("CYCLE"), after: "SELECT 1", words: []string{"events_id_seq", "NO CYCLE"}},
		{name: "text id", schema: "CREATE TABLE public.events (id text PRIMARY KEY, instance_name text)", words: []string{"public.events", "id", "text", "bigint"}},
		{name: "unlogged table", schema: strings.Replace(events, "CREATE TABLE", "CREATE UNLOGGED TABLE", 1), words: []string{"public.events", "SET LOGGED"}},
		{name: "missing publication", after: "DROP PUBLICATION tidemark", words: []string{"publication", "tidemark", "CREATE PUBLICATION"}},
	}
}

func TestUnmetRequirementsAreOneLine(t *testing.T) {
	t.Parallel()
	for _, r := range refusals() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			d := newDatabase(t, server, orDefault(r.schema, events))
			if r.schema == "" || r.after != "" {
				run(t, "setup", "-c", d.file).succeeds()
				d.exec(r.after)
			}
			d.configure(orDefault(r.stream, stream))
			run(t, "run", "-c", d.file).fails(1, r.words...)
			c := run(t, "check", "-c", d.file)
			c.fails(1, r.words...)
			if !strings.Contains(c.stdout.String(), "✗ ") {
				t.Errorf("check shows no failure:\n%s", c.stdout.String())
			}
		})
	}
}

func orDefault(s, standard string) string {
	if s == "" {
		return standard
	}
	return s
}

func TestSlotOfAnotherDatabaseOrPlugin(t *testing.T) {
	t.Parallel()
	d := ready(t, server)
	d.exec("SELECT pg_drop_replication_slot('" + d.name + "')")
	admin := pgtest.Connect(t, server)
	pgtest.Exec(t, admin, "SELECT pg_create_logical_replication_slot('"+d.name+"', 'pgoutput')")
	run(t, "run", "-c", d.file).fails(1, "slot "+d.name, "database postgres", d.name, "slot.name")
	pgtest.Exec(t, admin, "SELECT pg_drop_replication_slot('"+d.name+"')")

	_, err := d.sql.Exec(t.Context(), "SELECT pg_create_logical_replication_slot('"+d.name+"', 'test_decoding')")
	if err != nil && strings.Contains(err.Error(), "could not access file") {
		return // this server has no other plugin
	}
	if err != nil {
		t.Fatal(err)
	}
	run(t, "run", "-c", d.file).fails(1, "slot "+d.name, "plugin test_decoding", "pgoutput", "slot.name")
}

func TestNoRightToReplicate(t *testing.T) {
	t.Parallel()
	d := ready(t, server)
	role := d.name + "_plain"
	d.exec("CREATE ROLE "+role+" LOGIN", "GRANT SELECT ON events TO "+role)
	d.configureAs(role, stream)
	run(t, "run", "-c", d.file).fails(1, role, "ALTER ROLE "+role+" REPLICATION")
	run(t, "setup", "-c", d.file).fails(1, role, "ALTER ROLE")
}

func TestRefusedCredentials(t *testing.T) {
	t.Parallel()
	d := ready(t, server)
	role := d.name + "_user"
	d.exec("CREATE ROLE " + role + " LOGIN SUPERUSER PASSWORD 'another'")
	demandPassword(t, role)
	d.configureAs(role, stream)
	for _, command := range []string{"run", "check", "setup", "teardown"} {
		run(t, command, "-c", d.file).fails(1, "password authentication failed", role, "database.url")
	}
	// The variable goes before the file, and a role that does not exist is told too.
	unknown := startWith(t, []string{"TIDEMARK_DATABASE_URL=" + d.url("nobody_at_all")}, "run", "-c", d.file)
	unknown.fails(1, "nobody_at_all", "does not exist", "create the role")
	elsewhere := startWith(t, []string{"TIDEMARK_DATABASE_URL=" + server.URL("", "nowhere")}, "run", "-c", d.file)
	elsewhere.fails(1, `"nowhere"`, "create the database")
}

// demandPassword lets a role in with a password only.
func demandPassword(t *testing.T, role string) {
	t.Helper()
	file := filepath.Join(server.DataDir(), "pg_hba.conf")
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append([]byte("host all "+role+" 127.0.0.1/32 scram-sha-256\n"), old...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := server.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestNoLogicalWAL(t *testing.T) {
	t.Parallel()
	c := pgtest.Start(t, pgtest.Setting("wal_level", "replica"))
	d := newDatabase(t, c, events+"; CREATE PUBLICATION tidemark FOR TABLE events WITH (publish = 'insert')")
	for _, command := range []string{"run", "check", "setup"} {
		run(t, command, "-c", d.file).fails(1, "wal_level", "replica", "ALTER SYSTEM SET wal_level = logical")
	}
}

// closedPort is an address on which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	address := closedPort(t)
	file := write(t, "database: {url: 'postgres://u:"+secret+"@"+address+"/app'}\nhttp: {listen: '127.0.0.1:0'}\n"+stream)
	for _, args := range [][]string{{"check"}, {"setup"}, {"teardown"}, {"tail", "events"}, {"tail", "events", "--follow=false"}} {
		run(t, append(args, "-c", file)...).fails(1, address, "connection refused", "start the server", "database.url")
	}
}

func TestUsageAndConfigurationMistakes(t *testing.T) {
	t.Parallel()
	unknown := write(t, "database: {url: 'postgres://u:"+secret+"@h/app'}\nslott: {name: x}\n"+stream)
	valid := write(t, "database: {url: 'postgres://u:"+secret+"@h/app'}\n"+stream)
	noToken := write(t, "database: {url: 'postgres://u:"+secret+"@h/app'}\nhttp: {token_file: /nowhere/token}\n"+stream)
	for _, c := range []struct {
		args  []string
		words []string
	}{
		{[]string{"run", "-c", unknown}, []string{unknown + ":2:1", "slott", "slot"}},
		{[]string{"check", "-c", unknown}, []string{unknown + ":2:1"}},
		{[]string{"run", "-c", "/nowhere/f.yaml"}, []string{"/nowhere/f.yaml", "no such file"}},
		{[]string{"run"}, []string{"-c FILE"}},
		{[]string{"run", "-c", noToken}, []string{"token", "/nowhere/token"}},
		{[]string{"run", "--colour"}, []string{"--colour", "--help"}},
		{[]string{"stats"}, []string{`"stats"`, "status"}},
		{[]string{"tail", "-c", valid}, []string{"STREAM"}},
		{[]string{"tail", "other", "-c", valid}, []string{`"other"`, `"events"`}},
		{[]string{"tail", "events", "--after", "-1", "-c", valid}, []string{"--after -1", "positive"}},
		{[]string{"demo", "--duration", "0s"}, []string{"--duration", "20s"}},
		{[]string{"wait", "events"}, []string{"STREAM POSITION"}},
		{[]string{"wait", "events", "-5"}, []string{"-- -5"}},
		{[]string{"wait", "events", "five"}, []string{`"five"`, "integer"}},
		{[]string{"status", "--url", "nonsense"}, []string{"--url", "http://127.0.0.1:8474"}},
		{[]string{"status", "--token-file", "/nowhere/token"}, []string{"/nowhere/token", "--token-file"}},
	} {
		run(t, c.args...).fails(2, c.words...)
	}
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	d := ready(t, server)
	file := write(t, "database: {url: '"+d.url("")+"'}\nslot: {name: "+d.name+"}\nhttp: {listen: '"+ln.Addr().String()+"'}\n"+stream)
	run(t, "run", "-c", file).fails(1, ln.Addr().String(), "in use", "http.listen")
}

func TestNoDaemon(t *testing.T) {
	t.Parallel()
	url := "http://" + closedPort(t)
	for _, args := range [][]string{{"status"}, {"status", "--json"}, {"watch"}, {"wait", "events", "--", "-5"}} {
		args = append(args[:1:1], append([]string{"--url", url}, args[1:]...)...)
		run(t, args...).fails(1, url, "tidemark run -c FILE", "--url")
	}
}

package pagetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/internal/cli"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// hostile is a name that does harm where it is taken for anything but text.
const hostile = "<img src=x onerror=alert(1)></script><script>alert(2)</script>\u202egnihton"

// tables are those of the common database. Each is a stream, and each test has
// its own, so that none disturbs another.
func tables() []string {
	return []string{"moves", "held", "prepared", "hostile", "hidden", "gone", "keyboard", "writers", "asked", "cost"}
}

// row is a selector of what the page has of a stream.
func row(table string) string {
	return fmt.Sprintf("#streams > tbody:nth-of-type(%d)", 1+slices.Index(tables(), table))
}

// create is the statement that makes a table.
func create(table string) string {
	return "CREATE TABLE " + table + " (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, instance_name text)"
}

// quote quotes a text as YAML has it.
func quote(s string) string {
	quoted, _ := json.Marshal(s) // a string always can be
	return string(quoted)
}

// config is a configuration with a stream for each table.
func config(database string, tables []string, slot, http string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "database: {url: '%s'}\nslot: %s\nhttp: %s\nstreams:\n", database, slot, http)
	for _, table := range tables {
		name := table
		if table == "hostile" {
			name = hostile
		}
		fmt.Fprintf(&b, "  - {name: %s, tables: [{name: public.%s, id_column: id, instance_column: instance_name}]}\n", quote(name), table)
	}
	return b.String()
}

// program runs a command of the program on a configuration, until ctx ends.
func program(ctx context.Context, name, text string, says *output) error {
	file, err := os.CreateTemp("", "page*.yaml")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if _, err := file.WriteString(text); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	system := cli.System{Stdout: says, Stderr: says, Getenv: func(string) string { return "" }}
	if code := cli.Run(ctx, []string{name, "-c", file.Name()}, system); code != 0 {
		return fmt.Errorf("tidemark %s: exit code %d: %s", name, code, says)
	}
	return nil
}

// command runs a command to its end.
func command(name, text string) error {
	return program(context.Background(), name, text, &output{address: make(chan string, 1)})
}

// daemon is a running `tidemark run`.
type daemon struct {
	url  string
	stop func() error
}

// startDaemon runs the daemon until it is stopped.
func startDaemon(text string) (*daemon, error) {
	ctx, cancel := context.WithCancel(context.Background())
	says := &output{address: make(chan string, 1)}
	ended := make(chan error, 1)
	go func() { ended <- program(ctx, "run", text, says) }()
	d := &daemon{stop: sync.OnceValue(func() error { cancel(); return <-ended })}
	select {
	case address := <-says.address:
		d.url = "http://" + address
		return d, nil
	case err := <-ended:
		cancel()
		return nil, fmt.Errorf("the daemon does not start: %w", err)
	}
}

// output takes a log, and tells the address in its line "starting".
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	address chan string
	told    bool
}

// Write takes whole lines.
func (o *output) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var entry struct{ Msg, Listen string }
	if !o.told && json.Unmarshal(line, &entry) == nil && entry.Msg == "starting" {
		o.told = true
		o.address <- entry.Listen
	}
	return o.text.Write(line)
}

// String is all that was written.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// site is the common server and a daemon, in the hands of one test.
type site struct {
	t   *testing.T
	sql *pgx.Conn
	*daemon
}

// newSite hands out the common daemon.
func newSite(t *testing.T) *site {
	t.Helper()
	c := use(t)
	return &site{t, pgtest.Connect(t, c.cluster), c.daemon}
}

// ownSite starts a daemon that the test may stop.
func ownSite(t *testing.T, http string) *site {
	t.Helper()
	s := newSite(t)
	s.start(http)
	return s
}

// start starts a daemon that this test alone looks at.
func (s *site) start(http string) {
	s.t.Helper()
	d, err := startDaemon(config(common.cluster.URL("", ""), tables(), "{temporary: true}", http))
	if err != nil {
		s.t.Fatal(err)
	}
	s.daemon = d
	s.t.Cleanup(func() {
		if err := d.stop(); err != nil {
			s.t.Error(err)
		}
	})
}

// insert inserts a row of an instance and returns its id.
func (s *site) insert(table, instance string) (id int64) {
	s.t.Helper()
	err := s.sql.QueryRow(s.t.Context(), "INSERT INTO "+table+" (instance_name) VALUES ($1) RETURNING id", instance).Scan(&id)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// hold opens a transaction that has drawn an id.
func (s *site) hold(table, application string) pgx.Tx {
	s.t.Helper()
	return s.holdAt(common.cluster.URL("", ""), table, application)
}

func (s *site) holdAt(url, table, application string) pgx.Tx {
	s.t.Helper()
	conn := pgtest.ConnectURL(s.t, url)
	if _, err := conn.Exec(s.t.Context(), "SELECT set_config('application_name', $1, false)", application); err != nil {
		s.t.Fatal(err)
	}
	tx, err := conn.Begin(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := tx.Exec(s.t.Context(), "INSERT INTO "+table+" (instance_name) VALUES ('slow')"); err != nil {
		s.t.Fatal(err)
	}
	return tx
}

package pgcluster_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

func TestMain(m *testing.M) {
	if os.Getenv(envChild) != "" {
		os.Exit(child())
	}
	goleak.VerifyTestMain(m)
}

// count asks a new session how many rows t has.
func count(t *testing.T, c *pgcluster.Cluster) int {
	t.Helper()
	var n int
	if err := pgtest.Connect(t, c).QueryRow(t.Context(), "SELECT count(*) FROM t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDataOutlivesEveryEndOfTheServer(t *testing.T) {
	t.Parallel()
	pgtest.EachMajor(t, func(t *testing.T, version pgtest.Option) {
		c := pgtest.Start(t, version)
		pgtest.Exec(t, pgtest.Connect(t, c), "CREATE TABLE t (id int)", "INSERT INTO t VALUES (1)")
		before := c.URL("", "")
		ends := map[string]func() error{
			"fast":      func() error { return c.Stop(t.Context(), pgcluster.StopFast) },
			"smart":     func() error { return c.Stop(t.Context(), pgcluster.StopSmart) },
			"immediate": func() error { return c.Stop(t.Context(), pgcluster.StopImmediate) },
			"kill":      c.Kill,
		}
		for name, end := range ends {
			disconnectOthers(t, c) // a smart stop waits for clients
			if err := end(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if c.PID() != 0 {
				t.Fatalf("%s: the server still has pid %d", name, c.PID())
			}
			if err := c.StartAgain(t.Context()); err != nil {
				t.Fatalf("start after %s: %v", name, err)
			}
			if n := count(t, c); n != 1 {
				t.Errorf("%d rows after %s, want 1", n, name)
			}
			if after := c.URL("", ""); after != before {
				t.Errorf("URL after %s is %s, was %s", name, after, before)
			}
		}
	})
}

func disconnectOthers(t *testing.T, c *pgcluster.Cluster) {
	t.Helper()
	conn := pgtest.Connect(t, c)
	pgtest.Exec(t, conn, `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`)
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestKillLeavesNoProcess(t *testing.T) {
	t.Parallel()
	c := pgtest.Start(t)
	var backend int
	conn := pgtest.Connect(t, c)
	if err := conn.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		t.Fatal(err)
	}
	// A frozen backend does not notice that its postmaster has died: only a
	// kill of its own ends it.
	if err := syscall.Kill(backend, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	if pgcluster.Alive(backend) {
		t.Errorf("backend %d is alive after Kill", backend)
	}
	if err := c.Kill(); !errors.Is(err, pgcluster.ErrStopped) {
		t.Errorf("second Kill: %v, want ErrStopped", err)
	}
}

func TestCloseRemovesFrozenServer(t *testing.T) {
	t.Parallel()
	c := pgtest.Start(t)
	pid, dir := c.PID(), c.DataDir()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if pgcluster.Alive(pid) {
		t.Errorf("postmaster %d is alive after Close", pid)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("data directory after Close: %v, want none", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if err := c.StartAgain(t.Context()); !errors.Is(err, pgcluster.ErrClosed) {
		t.Errorf("StartAgain after Close: %v, want ErrClosed", err)
	}
}

func TestClusterIsPrivate(t *testing.T) {
	t.Parallel()
	// Not even an option opens it.
	c := pgtest.Start(t, pgtest.Setting("listen_addresses", "*"), pgtest.Setting("port", "1"))
	conn := pgtest.Connect(t, c)
	for setting, want := range map[string]string{
		"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "wal_level": "logical",
		"max_prepared_transactions": "20", "fsync": "on", "server_encoding": "UTF8",
	} {
		var got string
		if err := conn.QueryRow(t.Context(), "SELECT current_setting($1)", setting).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s = %q, want %q", setting, got, want)
		}
	}
	if info, err := os.Stat(c.DataDir() + "/.."); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("cluster's directory: %v, %v; want mode 0700", info.Mode(), err)
	}
}

func TestClustersSideBySide(t *testing.T) {
	t.Parallel()
	a, b := pgtest.Start(t), pgtest.Start(t)
	if a.Port() == b.Port() || a.DataDir() == b.DataDir() {
		t.Fatalf("clusters share port %d or directory %s", a.Port(), a.DataDir())
	}
	pgtest.Exec(t, pgtest.Connect(t, a), "CREATE TABLE t (id int)")
	pgtest.Exec(t, pgtest.Connect(t, b), "CREATE TABLE t (id int)", "INSERT INTO t VALUES (1)")
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if n := count(t, b); n != 1 {
		t.Errorf("%d rows after the other cluster was closed, want 1", n)
	}
}

func TestSettingsReachRunningAndStoppedServers(t *testing.T) {
	t.Parallel()
	c := pgtest.Start(t)
	const odd = `it's \odd`
	set := func(name string) {
		t.Helper()
		if err := c.SetSettings(t.Context(), map[string]string{"cluster_name": name, "search_path": name}); err != nil {
			t.Fatal(err)
		}
	}
	show := func(setting string) (value string) {
		t.Helper()
		err := pgtest.Connect(t, c).QueryRow(t.Context(), "SELECT current_setting($1)", setting).Scan(&value)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	set("one")
	if got := show("search_path"); got != "one" {
		t.Errorf("search_path in a new session after SetSettings: %q, want one", got)
	}
	if err := c.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := show("cluster_name"); got != "one" {
		t.Errorf("cluster_name after Restart: %q, want one", got)
	}
	disconnectOthers(t, c)
	if err := c.Stop(t.Context(), pgcluster.StopFast); err != nil {
		t.Fatal(err)
	}
	if err := c.SetSettings(t.Context(), map[string]string{"cluster_name": odd}); err != nil {
		t.Fatal(err)
	}
	if err := c.StartAgain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := show("cluster_name"); got != odd {
		t.Errorf("cluster_name after a start: %q, want %q", got, odd)
	}
}

func TestBadSettingShowsTheServersWords(t *testing.T) {
	t.Parallel()
	b, err := pgcluster.Find(pgtest.Major(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	openTo(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = pgcluster.Start(ctx, pgcluster.Options{
		Binaries: b, Dir: dir, Settings: map[string]string{"wal_level": "nonsense"},
	})
	if err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("Start with a bad setting: %v, want the server's complaint", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// openTo lets the server's user reach a directory of the test.
func openTo(t *testing.T, dir string) {
	t.Helper()
	for _, d := range []string{dir, dir + "/.."} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestURLQuotesNames(t *testing.T) {
	t.Parallel()
	c := pgtest.Start(t)
	conn := pgtest.Connect(t, c)
	pgtest.Exec(t, conn, `CREATE ROLE "a/b@c" LOGIN`, `CREATE DATABASE "d?e"`)
	raw := c.URL("a/b@c", "d?e")
	if _, err := url.Parse(raw); err != nil {
		t.Fatal(err)
	}
	var who string
	err := pgtest.ConnectURL(t, raw).QueryRow(t.Context(), "SELECT current_user || ' ' || current_database()").Scan(&who)
	if err != nil || who != "a/b@c d?e" {
		t.Errorf("connected as %q, %v", who, err)
	}
}

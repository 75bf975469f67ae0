package pgcluster_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

func TestStandbyReplaysAndIsPromoted(t *testing.T) {
	t.Parallel()
	pgtest.EachMajor(t, func(t *testing.T, version pgtest.Option) {
		primary := pgtest.Start(t, version)
		follow(t, primary, pgtest.Standby(t, primary, "reader"))
	})
}

// TestStandbyWithoutBasebackup takes the way of installations that lack
// pg_basebackup, on any.
func TestStandbyWithoutBasebackup(t *testing.T) {
	t.Parallel()
	primary := pgtest.Start(t)
	primary.WithoutBasebackup(fewPrograms(t, primary.Binaries()))
	follow(t, primary, pgtest.Standby(t, primary, "reader"))
}

// fewPrograms makes a directory that holds the server's program alone.
func fewPrograms(t *testing.T, b pgcluster.Binaries) string {
	t.Helper()
	dir := t.TempDir()
	openTo(t, dir)
	// A script and no copy: the server finds its libraries from where it is.
	script := "#!/bin/sh\nexec '" + filepath.Join(b.Dir, "postgres") + "' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "postgres"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// follow checks that the standby has the primary's rows, follows it, and takes
// over when it dies.
func follow(t *testing.T, primary, standby *pgcluster.Cluster) {
	t.Helper()
	conn := pgtest.Connect(t, primary)
	pgtest.Exec(t, conn, "CREATE TABLE t (id int)", "INSERT INTO t VALUES (1)")
	pgtest.AwaitReplay(t, primary, standby)
	if n := count(t, standby); n != 1 {
		t.Errorf("%d rows on the standby, want 1", n)
	}
	var name string
	if err := conn.QueryRow(t.Context(), "SELECT application_name FROM pg_stat_replication").Scan(&name); err != nil || name != "reader" {
		t.Errorf("the primary knows its standby as %q, %v; want reader", name, err)
	}
	if err := primary.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, pgtest.Connect(t, standby), "INSERT INTO t VALUES (2)")
	if n := count(t, standby); n != 2 {
		t.Errorf("%d rows after the promotion, want 2", n)
	}
}

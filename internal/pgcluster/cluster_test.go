package pgcluster_test

import (
	"testing"

	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

func TestKilledClusterKeepsCommittedRows(t *testing.T) {
	t.Parallel()
	c := pgtest.Start(t)
	pgtest.Exec(t, pgtest.Connect(t, c), "CREATE TABLE t (id int)", "INSERT INTO t VALUES (1)")
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.StartAgain(t.Context()); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := pgtest.Connect(t, c).QueryRow(t.Context(), "SELECT count(*) FROM t").Scan(&n); err != nil || n != 1 {
		t.Fatalf("rows after the crash: %d, %v; want 1", n, err)
	}
}

func TestStandbyReplays(t *testing.T) {
	t.Parallel()
	primary := pgtest.Start(t)
	pgtest.Exec(t, pgtest.Connect(t, primary), "CREATE TABLE t (id int)", "INSERT INTO t VALUES (1)")
	standby := pgtest.Standby(t, primary, "reader")
	var n int
	if err := pgtest.Connect(t, standby).QueryRow(t.Context(), "SELECT count(*) FROM t").Scan(&n); err != nil || n != 1 {
		t.Fatalf("rows on the standby: %d, %v; want 1", n, err)
	}
}

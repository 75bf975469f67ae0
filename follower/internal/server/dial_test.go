package server_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/server"
	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// RULES 3: a server that was promoted is on its new timeline at once, although
// its control file says the old one until the first checkpoint, which may take
// long.
func TestAPromotedServerIsOnItsTimelineAtOnce(t *testing.T) {
	t.Parallel()
	primary := pgtest.Start(t)
	standby := pgtest.Standby(t, primary, "standby",
		pgtest.Setting("checkpoint_timeout", "1h"), pgtest.Setting("bgwriter_lru_maxpages", "0"))
	pgtest.Exec(t, pgtest.Connect(t, primary), "CREATE TABLE much AS SELECT repeat('x', 1000) FROM generate_series(1, 5000)")
	pgtest.AwaitReplay(t, primary, standby)
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn, id := session(t, standby)
	var control int32
	if err := conn.QueryRow(t.Context(), "SELECT timeline_id FROM pg_control_checkpoint()").Scan(&control); err != nil {
		t.Fatal(err)
	}
	if control != 1 {
		t.Fatalf("the control file says %d already: the test shows nothing", control)
	}
	if id.Timeline != 2 {
		t.Errorf("on timeline %d after a promotion", id.Timeline)
	}
}

// session is one that ends with the test.
func session(t *testing.T, c *pgcluster.Cluster) (*pgx.Conn, server.Identity) {
	t.Helper()
	dialer, err := server.NewDialer(c.URL("", ""), "tidemark")
	if err != nil {
		t.Fatal(err)
	}
	conn, id, err := dialer.SQL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close(conn) })
	return conn, id
}

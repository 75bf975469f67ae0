package follower_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// RULES 11: a server that is restored from a snapshot of its files is the same
// system on the same timeline. That it stands behind a position that was
// published is all that tells: its ids are other rows from there on.
func TestARestoredServerIsANewEpoch(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	_, s := b.follow(eventsConfig(b.url))
	b.following(s)
	b.reach(s, b.insert(b.sql, "both"))
	b.ok(b.cluster.Stop(t.Context(), pgcluster.StopFast))
	dir := b.cluster.DataDir()
	run := func(command ...string) {
		t.Helper()
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", command, err, out)
		}
	}
	run("cp", "-a", dir, dir+".snapshot")
	b.reconnect()
	b.following(s)
	b.exec("INSERT INTO events (instance_name) SELECT 'lost' FROM generate_series(1, 20000)")
	lost := b.insert(b.sql, "lost")
	b.reach(s, lost)
	epoch := s.Epoch()
	b.ok(b.cluster.Kill())
	run("rm", "-rf", dir)
	run("mv", dir+".snapshot", dir)
	b.reconnect()
	b.await(s, "following in another epoch", func(st follower.Status) bool {
		return st.State == follower.StateFollowing && st.Epoch != epoch
	})
	id := b.insert(b.sql, "new")
	b.reach(s, id)
	if id >= lost || s.CurrentToken() >= lost {
		t.Errorf("row %d, position %d: %d was lost, the test shows nothing", id, s.CurrentToken(), lost)
	}
}

// RULES 13: a standby that stays with a primary that was left says how far it
// has replayed that one's WAL, which is further than the new primary's, and
// nothing of the new primary's rows.
func TestAStandbyOnTheOldTimelineShowsNothing(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	next := pgtest.Standby(t, b.cluster, "next")
	left := pgtest.Standby(t, b.cluster, "left")
	cfg := eventsConfig(fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/postgres", b.cluster.Port(), next.Port()))
	cfg.Readers = []string{left.URL("", "")}
	_, s := b.follow(cfg)
	b.following(s)
	b.reach(s, b.insert(b.sql, "both"))
	pgtest.AwaitReplay(t, b.cluster, next)
	b.ok(next.Promote(t.Context()))
	b.exec("INSERT INTO events (instance_name) SELECT 'old' FROM generate_series(1, 20000)")
	pgtest.AwaitReplay(t, b.cluster, left)
	b.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tidemark'")
	for _, standby := range []*pgcluster.Cluster{next, left} { // and there too
		pgtest.Exec(t, pgtest.Connect(t, standby), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tidemark'")
	}
	st := b.await(s, "told of the standby's timeline", func(st follower.Status) bool {
		return st.State != follower.StateFollowing && strings.Contains(st.Reason, "timeline 1, the primary on")
	})
	row := b.insert(pgtest.Connect(t, next), "new")
	if st = s.Status(); st.Known && st.Position >= row {
		t.Errorf("position %d, which the standby does not show", st.Position)
	}
}

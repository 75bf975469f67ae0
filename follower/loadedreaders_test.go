package follower_test

import (
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// RULES 13: what is loaded, because the slot will not send it, waits for the
// standby like what the slot sends.
func TestWhatIsLoadedWaitsForTheStandby(t *testing.T) {
	t.Parallel()
	b := newBed(t, reference+`;
CREATE TABLE mine (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, instance_name text);
ALTER PUBLICATION tidemark ADD TABLE mine (id, instance_name)`)
	standby := pgtest.Standby(t, b.cluster, "standby")
	cfg := referenceConfig(b.url)
	cfg.Streams = append(cfg.Streams, follower.StreamConfig{Name: "mine", Tables: []follower.TableConfig{
		{Name: "mine", IDColumn: "id", InstanceColumn: "instance_name"},
	}})
	cfg.Readers = []string{standby.URL("", "")}
	b.announce("events", "a", 0)
	f, s := b.follow(cfg)
	mine, _ := f.Stream("mine")
	b.following(s)
	b.following(mine)
	b.streaming()

	pgtest.Exec(t, pgtest.Connect(t, standby), "SELECT pg_wal_replay_pause()")
	b.row(b.draw("events_stream_seq"), "a")
	b.announce("events", "a", 1)
	b.exec("INSERT INTO mine (instance_name) VALUES ('a')")
	reconnects := f.Stats().Reconnects
	b.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE application_name = 'tidemark'")
	b.await(s, "a new session", func(follower.Status) bool { return f.Stats().Reconnects > reconnects })
	b.until("its slot", "SELECT count(*) > 0 FROM pg_replication_slots WHERE active")
	time.Sleep(500 * time.Millisecond) // without a standby it would have been loaded by now
	if p, q := s.CurrentToken(), mine.CurrentToken(); p != 0 || q != 0 {
		t.Fatalf("positions %d and %d, which the standby does not show", p, q)
	}
	b.noSnapshotOpen("while a standby shows nothing new")
	pgtest.Exec(t, pgtest.Connect(t, standby), "SELECT pg_wal_replay_resume()")
	b.reach(s, 1)
	b.reach(mine, 1)
	b.following(s)
}

const snapshotsOpen = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tidemark' AND state LIKE 'idle in transaction%'"

// noSnapshotOpen makes sure that the follower does not hold back vacuum.
func (b *bed) noSnapshotOpen(when string) {
	b.t.Helper()
	var open int
	b.ok(b.sql.QueryRow(b.t.Context(), snapshotsOpen).Scan(&open))
	if open != 0 {
		b.t.Errorf("%s: %d sessions of the follower hold a snapshot", when, open)
	}
}

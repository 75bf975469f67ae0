package follower_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
)

// A look at the gate for every few commits would take the time from the
// walsender that sends the backlog.
func TestABacklogDoesNotWearOutTheGate(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	b.exec("SELECT pg_create_logical_replication_slot('tidemark', 'pgoutput')")
	b.exec("ALTER DATABASE postgres SET log_statement = 'all'")
	const rows = 30_000
	b.exec("SET synchronous_commit = off")
	b.exec(`DO $$ BEGIN FOR i IN 1..30000 LOOP INSERT INTO events (instance_name) VALUES ('a'); COMMIT; END LOOP; END $$`)
	b.exec("SET synchronous_commit = on")
	time.Sleep(1100 * time.Millisecond) // what is older than a second is a backlog
	b.insert(b.sql, "a")                // and what is written now is on disk with it
	cfg := eventsConfig(b.url)
	cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark"}
	began := time.Now()
	_, s := b.follow(cfg)
	st := b.await(s, "all rows", func(st follower.Status) bool { return st.Rows > rows })
	took := time.Since(began)
	if st.LateRows != 0 {
		t.Errorf("%d late rows", st.LateRows)
	}
	looks := strings.Count(b.cluster.LogTail(1<<20), ": SELECT pg_current_snapshot()")
	if most := int(took/(20*time.Millisecond)) + 20; looks > most || looks == 0 {
		t.Errorf("%d looks at the gate in %s, want at most %d", looks, took, most)
	}
	// Then it is as fast as ever: the backlog is over.
	b.reach(s, b.insert(b.sql, "a"))
}

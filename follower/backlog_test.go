package follower_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
)

// backlogRows are written, each by a transaction of its own, and one more.
const backlogRows = 30_000

// fallBehind leaves a backlog in the slot "tidemark".
func (b *bed) fallBehind() {
	b.t.Helper()
	b.exec("SELECT pg_create_logical_replication_slot('tidemark', 'pgoutput')")
	b.exec("SET synchronous_commit = off")
	b.exec(fmt.Sprintf(`DO $$ BEGIN FOR i IN 1..%d LOOP INSERT INTO events (instance_name) VALUES ('a'); COMMIT; END LOOP; END $$`, backlogRows))
	b.exec("SET synchronous_commit = on")
	time.Sleep(1100 * time.Millisecond) // what is older than a second is a backlog
	b.insert(b.sql, "a")                // and what is written now is on disk with it
}

// catchUp follows the slot until all of the backlog has been read.
func (b *bed) catchUp() *follower.Stream {
	b.t.Helper()
	cfg := eventsConfig(b.url)
	cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark"}
	_, s := b.follow(cfg)
	st := b.await(s, "all rows", func(st follower.Status) bool { return st.Rows > backlogRows })
	if st.LateRows != 0 {
		b.t.Errorf("%d late rows", st.LateRows)
	}
	return s
}

// A look at the gate for every few commits would take the time from the
// walsender that sends the backlog.
func TestABacklogDoesNotWearOutTheGate(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	b.exec("ALTER DATABASE postgres SET log_statement = 'all'")
	b.fallBehind()
	began := time.Now()
	s := b.catchUp()
	took := time.Since(began)
	looks := strings.Count(b.cluster.LogTail(1<<20), ": SELECT pg_current_snapshot()")
	if most := int(took/(20*time.Millisecond)) + 20; looks > most || looks == 0 {
		t.Errorf("%d looks at the gate in %s, want at most %d", looks, took, most)
	}
	// Then it is as fast as ever: the backlog is over.
	b.reach(s, b.insert(b.sql, "a"))
}

package follower_test

import (
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// A slot that the server has given up is made anew.
func TestASlotThatTheServerGaveUpIsMadeAnew(t *testing.T) {
	t.Parallel()
	b := newBed(t, events, pgtest.Setting("max_slot_wal_keep_size", "1MB"))
	cfg := eventsConfig(b.url)
	cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark"}
	b.exec("SELECT pg_create_logical_replication_slot('tidemark', 'pgoutput')")
	for lost, n := false, 0; !lost; n++ {
		if n == 20 {
			t.Fatal("the server has not given up the slot")
		}
		b.exec("SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000000)), pg_switch_wal()")
		b.exec("CHECKPOINT")
		b.ok(b.sql.QueryRow(t.Context(), "SELECT wal_status = 'lost' FROM pg_replication_slots").Scan(&lost))
	}
	_, s := b.follow(cfg)
	b.following(s)
	b.until("the slot is read", "SELECT count(*) = 1 FROM pg_replication_slots WHERE active AND wal_status = 'reserved'")
	id := b.insert(b.sql, "a")
	b.await(s, "the row through the slot", func(st follower.Status) bool { return st.Writers["a"] == id })
}

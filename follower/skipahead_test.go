package follower_test

import (
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
)

// A follower that is further behind than it may be passes what waits in its
// slot: nearly none of it is read. One that may be as far behind reads all of
// it. `make bench ONLY=2` tells what that gains.
func TestABacklogIsSkipped(t *testing.T) {
	t.Parallel()
	const backlog = 50_000
	b := newBed(t, events)
	b.exec("SELECT pg_create_logical_replication_slot('patient', 'pgoutput')")
	b.exec("SELECT pg_create_logical_replication_slot('hasty', 'pgoutput')")
	for range backlog / 1000 {
		b.exec("INSERT INTO events (instance_name) SELECT 'a' FROM generate_series(1, 1000)")
	}
	for slot, c := range map[string]struct {
		ahead int64
		skips bool
	}{"patient": {1 << 40, false}, "hasty": {64 << 10, true}} {
		cfg := eventsConfig(b.url)
		cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: slot, SkipAhead: c.ahead}
		_, s := b.follow(cfg)
		b.following(s)
		b.until("the slot is read", "SELECT active FROM pg_replication_slots WHERE slot_name = $1", slot)
		newest := b.insert(b.sql, "b")
		b.reach(s, newest)
		st := b.await(s, slot+": the row written last has come through the slot", func(st follower.Status) bool {
			return st.Writers["b"] == newest
		})
		if skipped := st.Rows < backlog/10; skipped != c.skips || st.LateRows != 0 {
			t.Errorf("%s: %d of %d rows were read, %d late", slot, st.Rows, backlog, st.LateRows)
		}
	}
}

package follower_test

import (
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
)

// A stream that nobody writes has been followed all the same: what the server
// lacks later halts it and does not end Run.
func TestQuietStreamOutlivesItsPublication(t *testing.T) {
	b := newBed(t, events)
	cfg := eventsConfig(b.url)
	cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "quiet"}
	_, s := b.follow(cfg)
	b.await(s, "the slot is read", func(follower.Status) bool { return b.slotReader("quiet") != 0 })
	b.exec("DROP PUBLICATION tidemark")
	b.exec("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'quiet'") // else it notices late
	b.await(s, "halted", func(st follower.Status) bool { return st.State == follower.StateHalted })
	b.exec("CREATE PUBLICATION tidemark FOR TABLE events (id, instance_name) WITH (publish = 'insert')")
	b.following(s)
	b.reach(s, b.insert(b.sql, "a"))
}

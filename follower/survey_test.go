package follower_test

import (
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
)

// What is stored tells the position of an announced stream too, to those who
// may not or will not read a slot. RULES 20.
func TestAnnouncedStreamsWithoutASlot(t *testing.T) {
	t.Parallel()
	b := newBed(t, reference)
	cfg := referenceConfig(b.url)
	cfg.Slot.Kind = follower.SlotNone
	for id := int64(1); id <= 3; id++ {
		b.row(b.draw("events_stream_seq"), "a")
	}
	b.announce("events", "a", 2)
	b.announce("backfill", "a", 0)
	f, s := b.follow(cfg)
	back, _ := f.Stream("backfill")
	b.following(s)
	b.following(back)
	b.reach(s, 3) // announced up to 2, and the next row is there
	if p := back.CurrentToken(); p != 0 {
		t.Errorf("the other stream stands at %d", p)
	}

	registering := b.begin()
	_, err := registering.Exec(t.Context(), "INSERT INTO stream_positions VALUES ('events', 'b', 3)")
	b.ok(err)
	b.row(b.draw("events_stream_seq"), "a")
	b.announce("events", "a", 4)
	b.ok(registering.Commit(t.Context()))
	open := b.draw("events_stream_seq") // b's
	b.row(b.draw("events_stream_seq"), "a")
	b.announce("events", "a", open+1)
	b.await(s, "the new writer", func(st follower.Status) bool { return len(st.Writers) == 2 && st.Writers["a"] == open+1 })
	if p := s.CurrentToken(); p >= open {
		t.Errorf("position %d covers id %d, which b may still write", p, open)
	}
	b.row(open, "b")
	b.announce("events", "b", open)
	b.reach(s, open+1)
	b.until("no slot", "SELECT count(*) = 0 FROM pg_replication_slots")
}

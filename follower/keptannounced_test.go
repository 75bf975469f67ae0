package follower_test

import (
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
)

// A writer that registers behind the position, with the last value that it read
// before, does not hold it back; neither may it do so after a restart, or when
// another daemon takes over: what is stored and the rows alone would give less,
// for an id between is dead, or its row has been deleted since. RULES 12.
func TestAnAnnouncedPositionDoesNotGoBackWithItsDaemon(t *testing.T) {
	t.Parallel()
	b := newBed(t, reference+keptTable)
	cfg := referenceConfig(b.url)
	cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark"}
	cfg.Published = follower.PublishedConfig{Table: "public.tidemark_positions"}
	b.announce("events", "a", 0)
	first, stop := b.run(cfg)
	b.following(first)
	deleted, dead := b.draw("events_stream_seq"), b.draw("events_stream_seq")
	newest := b.draw("events_stream_seq")
	b.row(deleted, "a")
	b.row(newest, "a")
	b.announce("events", "a", newest)
	b.reach(first, newest)
	b.announce("events", "late", dead-1)
	b.await(first, "the late writer", func(st follower.Status) bool { return st.Writers["late"] == dead-1 })
	b.exec("DELETE FROM events WHERE stream_ordering = 1")
	epoch := first.Epoch()

	second, stopSecond := b.run(cfg) // which takes over
	b.await(second, "enrolled", func(follower.Status) bool { return second.Epoch() == epoch })
	stop()
	b.stillAt(second, newest, epoch)
	stopSecond()
	third, stopThird := b.run(cfg)
	b.stillAt(third, newest, epoch)
	b.row(b.draw("events_stream_seq"), "a")
	b.announce("events", "a", newest+1)
	b.announce("events", "late", newest+1)
	b.reach(third, newest+1)
	stopThird()
}

// stillAt waits until there is a position, which has to be the one from before.
func (b *bed) stillAt(s *follower.Stream, position int64, epoch string) {
	b.t.Helper()
	st := b.await(s, "a position", func(st follower.Status) bool { return st.Known })
	if st.Position != position || st.Epoch != epoch || st.LSN == 0 {
		b.t.Errorf("position %d at %s in epoch %s, want %d in %s", st.Position, st.LSN, st.Epoch, position, epoch)
	}
	b.following(s)
	if st := s.Status(); st.LateRows != 0 {
		b.t.Errorf("%+v", st)
	}
}

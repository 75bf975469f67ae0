package follower_test

import (
	"context"
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
)

// RULES 18: the table is read again. A TRUNCATE of it comes through no slot
// that publishes inserts, updates and deletes, and its writers would hold P back
// for as long as the session lasts.
func TestPositionsThatAreTruncated(t *testing.T) {
	t.Parallel()
	b := newBed(t, reference)
	f, s := b.follow(referenceConfig(b.url))
	b.announce("events", "gone", 0)
	b.announce("events", "a", 0)
	b.following(s)
	b.streaming()
	b.row(b.draw("events_stream_seq"), "a")
	b.draw("events_stream_seq") // by nobody, for nothing
	b.announce("events", "a", 2)
	b.await(s, "both writers", func(st follower.Status) bool { return len(st.Writers) == 2 && st.Writers["a"] == 2 })
	if p := s.CurrentToken(); p > 1 {
		t.Fatalf("position %d, and a writer stands at 0", p)
	}
	reconnects := f.Stats().Reconnects
	b.exec("BEGIN; TRUNCATE stream_positions; INSERT INTO stream_positions VALUES ('events', 'a', 2); COMMIT")
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience) // it is looked at every ten seconds
	defer cancel()
	if err := s.Wait(ctx, 2); err != nil {
		t.Fatalf("%v: %+v", err, s.Status())
	}
	if n := f.Stats().Reconnects - reconnects; n != 1 {
		t.Errorf("%d new sessions, want the one that loads anew", n)
	}
	if st := s.Status(); len(st.Writers) != 1 {
		t.Errorf("writers %v", st.Writers)
	}
}

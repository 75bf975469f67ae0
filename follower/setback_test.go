package follower_test

import (
	"strings"
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
)

// RULES 4: when ids start over, what reads the slot begins anew as well: rows
// of the new epoch are not judged by positions of the old one.
func TestASequenceThatIsSetBackIsReadAnew(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	_, s := b.follow(eventsConfig(b.url))
	b.following(s)
	b.streaming()
	b.exec("INSERT INTO events (instance_name) SELECT 'old' FROM generate_series(1, 1000)")
	b.reach(s, 1000)
	b.await(s, "the rows through the slot", func(st follower.Status) bool { return st.Rows == 1000 })
	old := s.Epoch()
	b.exec("DELETE FROM events; SELECT setval('events_id_seq', 2)")
	b.await(s, "another epoch", func(st follower.Status) bool { return st.Known && st.Epoch != old })
	for range 5 {
		b.reach(s, b.insert(b.sql, "new"))
	}
	b.await(s, "the rows through the slot", func(st follower.Status) bool {
		return st.LateRows > 0 || st.Writers["new"] == st.Position
	})
	if st := s.Status(); st.LateRows != 0 {
		t.Errorf("%d late rows, of ids that were drawn after the new epoch had begun", st.LateRows)
	}
}

// Rows that are there at once when ids have started over come through the slot
// before anybody has looked at the sequence: they are not late, for the epoch is
// another.
func TestRowsOfIdsThatStartedOverAreNotLate(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	_, s := b.follow(eventsConfig(b.url))
	b.following(s)
	b.streaming()
	for range 10 {
		b.exec("INSERT INTO events (instance_name) SELECT 'old' FROM generate_series(1, 100)")
		b.reach(s, 100)
		b.await(s, "the rows through the slot", func(st follower.Status) bool { return st.Writers["old"] == 100 })
		old := s.Epoch()
		b.exec("TRUNCATE events RESTART IDENTITY; INSERT INTO events (instance_name) VALUES ('new')")
		b.await(s, "another epoch", func(st follower.Status) bool { return st.Known && st.Epoch != old })
		b.reach(s, 1)
		b.exec("TRUNCATE events RESTART IDENTITY")
		b.await(s, "nothing", func(st follower.Status) bool { return st.Known && st.Position == 0 })
	}
	if st := s.Status(); st.LateRows != 0 {
		t.Errorf("%d late rows", st.LateRows)
	}
}

// Positions that writers had announced before the ids of an announced stream
// started over say nothing of the new ids: they cover some that are open. The
// stream halts, and says what to do, until they are gone; the others go on.
// RULES 4.
func TestAnnouncedPositionsFromBeforeTheIdsStartedOver(t *testing.T) {
	t.Parallel()
	for how, sql := range map[string]string{
		"restarted": "TRUNCATE events RESTART IDENTITY",
		"set back":  "DELETE FROM events WHERE stream_ordering > 0; SELECT setval('events_stream_seq', 1, false)",
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, reference)
			b.exec("ALTER SEQUENCE events_stream_seq OWNED BY events.stream_ordering")
			b.announce("events", "a", 0)
			b.announce("events", "b", 0)
			b.announce("backfill", "a", 0)
			f, s := b.follow(referenceConfig(b.url))
			back, _ := f.Stream("backfill")
			b.following(s)
			b.streaming()
			for range 5 {
				b.row(b.draw("events_stream_seq"), "a")
			}
			b.announce("events", "a", 5)
			b.announce("events", "b", 5)
			b.reach(s, 5)
			old := s.Epoch()
			b.exec(sql)
			open := b.draw("events_stream_seq")
			b.await(s, "halted, by name", func(st follower.Status) bool {
				if st.Known && st.Epoch != old && st.Position >= open {
					t.Fatalf("position %d in epoch %s, while %d is open", st.Position, st.Epoch, open)
				}
				return st.State == follower.StateHalted && strings.Contains(st.Reason, "DELETE FROM stream_positions")
			})
			down := -b.draw("events_backfill_stream_seq")
			b.row(down, "a")
			b.announce("backfill", "a", down)
			b.reach(back, down)
			if st := s.Status(); st.State != follower.StateHalted {
				t.Errorf("%s: %s", st.State, st.Reason)
			}
			b.exec("DELETE FROM stream_positions WHERE stream_name = 'events'")
			b.announce("events", "a", 0)
			b.announce("events", "b", open)
			b.following(s)
			if st := s.Status(); st.Position != 0 {
				t.Errorf("position %d, while %d is open", st.Position, open)
			}
			b.row(open, "a")
			b.announce("events", "a", open)
			b.reach(s, open)
		})
	}
}

// The positions of an announced stream come through the slot alone.
func TestAnAnnouncedSequenceThatIsSetBack(t *testing.T) {
	t.Parallel()
	b := newBed(t, reference)
	b.announce("events", "a", 0)
	_, s := b.follow(referenceConfig(b.url))
	b.following(s)
	b.streaming()
	for range 10 {
		b.row(b.draw("events_stream_seq"), "a")
	}
	b.announce("events", "a", 10)
	b.reach(s, 10)
	old := s.Epoch()
	b.exec("DELETE FROM events; DELETE FROM stream_positions; SELECT setval('events_stream_seq', 2)")
	b.announce("events", "a", 2)
	b.await(s, "another epoch", func(st follower.Status) bool { return st.Known && st.Epoch != old })
	three := b.draw("events_stream_seq")
	b.row(three, "a")
	b.announce("events", "a", three)
	b.reach(s, three)
	b.following(s)
}

// What a permanent slot still holds when ids start over is of the old epoch:
// such rows must not be taken for the new one's, whose ids are the same.
func TestWhatTheSlotHoldsOfOldIdsDoesNotCount(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	cfg := eventsConfig(b.url)
	cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark"}
	_, s := b.follow(cfg)
	b.following(s)
	b.streaming()
	b.exec("INSERT INTO events (instance_name) SELECT 'old' FROM generate_series(1, 10)")
	b.reach(s, 10)
	reader := b.slotReader("tidemark")
	eleven, done := b.hang() // it is decoded, and not confirmed
	old := s.Epoch()
	b.exec("SET synchronous_commit = local; DELETE FROM events; SELECT setval('events_id_seq', 2)")
	b.await(s, "another epoch", func(follower.Status) bool { return s.Epoch() != old }) // nothing is known of it yet
	b.until("the slot is read for it", readers+"state = 'streaming' AND pid <> $1", reader)
	b.unhang()
	<-done
	b.exec("DELETE FROM events")

	b.exec("INSERT INTO events (instance_name) SELECT 'new' FROM generate_series(3, 10)")
	b.reach(s, 10)
	b.await(s, "the rows through the slot", func(st follower.Status) bool { return st.Writers["new"] == 10 })
	open := b.begin()
	if id := b.insert(open, "open"); id != eleven {
		t.Fatalf("drew %d, want %d", id, eleven)
	}
	b.insert(b.sql, "new")
	b.await(s, "the open one is named", func(st follower.Status) bool { return len(st.HeldBy) == 1 || st.Position >= eleven })
	if p := s.CurrentToken(); p != 10 {
		t.Errorf("position %d while %d is open: the slot told of a row of the old epoch", p, eleven)
	}
	b.ok(open.Commit(t.Context()))
	b.reach(s, 12)
}

// Rows may stand beyond the sequence when it is set back: they are of the old ids,
// and neither carry the position with them nor begin one epoch after the other.
func TestAnAnnouncedSequenceThatIsSetBackBehindItsRows(t *testing.T) {
	t.Parallel()
	b := newBed(t, reference)
	b.announce("events", "a", 0)
	_, s := b.follow(referenceConfig(b.url))
	b.following(s)
	b.streaming()
	for range 10 {
		b.row(b.draw("events_stream_seq"), "a")
	}
	b.announce("events", "a", 10)
	b.reach(s, 10)
	old := s.Epoch()
	b.exec("SELECT setval('events_stream_seq', 2)")
	b.await(s, "halted in another epoch", func(st follower.Status) bool { return st.State == follower.StateHalted && s.Epoch() != old })
	is := s.Epoch()
	three := b.draw("events_stream_seq")
	b.announce("events", "a", three)
	b.reach(s, three)
	b.following(s)
	if now := s.Epoch(); now != is || s.CurrentToken() != three {
		t.Errorf("position %d in epoch %s, want %d in %s", s.CurrentToken(), now, three, is)
	}
}

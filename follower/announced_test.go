package follower_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
)

// The tables of the reference: a unique index and no primary key, an ascending
// and a descending stream in one table.
const reference = `
CREATE TABLE events (stream_ordering bigint, instance_name text);
CREATE SEQUENCE events_stream_seq; CREATE SEQUENCE events_backfill_stream_seq;
CREATE TABLE stream_positions (stream_name text NOT NULL, instance_name text NOT NULL, stream_id bigint NOT NULL);
CREATE UNIQUE INDEX stream_positions_idx ON stream_positions (stream_name, instance_name);
ALTER TABLE stream_positions REPLICA IDENTITY USING INDEX stream_positions_idx;
CREATE PUBLICATION tidemark FOR TABLE events (stream_ordering, instance_name) WITH (publish = 'insert');
CREATE PUBLICATION tidemark_positions FOR TABLE stream_positions WITH (publish = 'insert, update, delete')`

func referenceConfig(url string, writers ...string) follower.Config {
	tables := []follower.TableConfig{{Name: "events", IDColumn: "stream_ordering", InstanceColumn: "instance_name"}}
	return follower.Config{Database: url, PositionsTable: "stream_positions", Streams: []follower.StreamConfig{
		{Name: "events", Allocation: follower.AllocationAnnounced, Sequence: "events_stream_seq", Writers: writers, Tables: tables},
		{Name: "backfill", Allocation: follower.AllocationAnnounced, Sequence: "events_backfill_stream_seq", Descending: true, Tables: tables},
	}}
}

// draw draws ids ahead of any transaction, as the reference does.
func (b *bed) draw(sequence string) int64 {
	b.t.Helper()
	var id int64
	b.ok(b.sql.QueryRow(b.t.Context(), "SELECT nextval($1::text::regclass)", sequence).Scan(&id))
	return id
}

func (b *bed) row(id int64, writer string) {
	b.exec(fmt.Sprintf("INSERT INTO events VALUES (%d, '%s')", id, writer))
}

func (b *bed) announce(stream, writer string, id int64) {
	b.exec(fmt.Sprintf(`INSERT INTO stream_positions VALUES ('%s', '%s', %d)
		ON CONFLICT (stream_name, instance_name) DO UPDATE SET stream_id = excluded.stream_id`, stream, writer, id))
}

func TestAnnouncedPositions(t *testing.T) {
	t.Parallel()
	b := newBed(t, reference)
	b.announce("events", "a", 0)
	b.announce("events", "b", 0)
	f, s := b.follow(referenceConfig(b.url))
	back, _ := f.Stream("backfill")
	b.following(s)
	if p := s.CurrentToken(); p != 0 {
		t.Fatalf("position %d before anything was drawn", p)
	}
	one, two := b.draw("events_stream_seq"), b.draw("events_stream_seq")
	b.row(two, "b")
	b.announce("events", "b", two)
	b.await(s, "the writer that holds it back", func(st follower.Status) bool {
		return len(st.HeldBy) == 1 && st.HeldBy[0].Writer != nil && *st.HeldBy[0].Writer == "a" && st.Writers["b"] == two
	})
	if p := s.CurrentToken(); p != 0 {
		t.Fatalf("position %d while a has %d open", p, one)
	}
	if token := s.Token(); token.Position() != 0 || !token.Covers("b", two) || token.Covers("a", one) {
		t.Errorf("token %s: b is done up to %d, a is not up to %d", token, two, one)
	}
	b.row(one, "a")
	b.reach(s, two) // a run of rows needs no announcement
	dead, three := b.draw("events_stream_seq"), b.draw("events_stream_seq")
	b.row(three, "b")
	b.announce("events", "b", three)
	if p := s.CurrentToken(); p >= dead {
		t.Fatalf("position %d although nobody said that %d is dead", p, dead)
	}
	b.announce("events", "a", three)
	b.reach(s, three)

	// RULES 18: a writer that is removed leaves the minimum.
	b.draw("events_stream_seq") // a's, never written
	five := b.draw("events_stream_seq")
	b.row(five, "b")
	b.announce("events", "b", five)
	b.exec("DELETE FROM stream_positions WHERE stream_name = 'events' AND instance_name = 'a'")
	b.reach(s, five)

	// The mirror image, in the same table.
	b.announce("backfill", "a", 0)
	b.row(-b.draw("events_backfill_stream_seq"), "a")
	b.row(-b.draw("events_backfill_stream_seq"), "a")
	b.announce("backfill", "a", -2)
	b.reach(back, -2)
	b.await(back, "the announcement behind its rows", func(st follower.Status) bool {
		return st.Position == -2 && st.Allocated == -2 && maps.Equal(st.Writers, map[string]int64{"a": -2})
	})
	for _, s := range f.Streams() {
		if st := s.Status(); st.LateRows != 0 || st.State != follower.StateFollowing {
			t.Errorf("%+v", st)
		}
	}
}

// Writers that are listed and have no row yet count as 0, by name.
func TestAListedWriterWithoutARowHoldsThePosition(t *testing.T) {
	t.Parallel()
	b := newBed(t, reference)
	b.announce("events", "a", 0)
	_, s := b.follow(referenceConfig(b.url, "a", "b"))
	b.following(s)
	dead := b.draw("events_stream_seq")
	two := b.draw("events_stream_seq")
	b.row(two, "a")
	b.announce("events", "a", two)
	b.await(s, "b is named", func(st follower.Status) bool {
		return len(st.HeldBy) == 1 && *st.HeldBy[0].Writer == "b"
	})
	b.announce("events", "b", dead)
	b.reach(s, two)
}

// Restarts and skips: what was written meanwhile is loaded, a writer that was
// removed meanwhile leaves the minimum.
func TestAnnouncedStreamsAreLoadedAnew(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]follower.SlotConfig{"temporary": {}, "permanent": {Kind: follower.SlotPermanent, Name: "tidemark"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, reference)
			b.announce("events", "a", 0)
			b.announce("events", "gone", 0)
			cfg := referenceConfig(b.url)
			cfg.Slot = kind
			_, s := b.follow(cfg)
			b.following(s)
			b.streaming()
			b.exec("ALTER PUBLICATION tidemark_positions DROP TABLE stream_positions")
			b.draw("events_stream_seq")
			two := b.draw("events_stream_seq")
			b.row(two, "a")
			b.announce("events", "a", two)
			b.exec("DELETE FROM stream_positions WHERE instance_name = 'gone'")
			b.halted(s, "stream_positions")
			b.exec("ALTER PUBLICATION tidemark_positions ADD TABLE stream_positions")
			b.following(s)
			b.reach(s, two)
			three := b.draw("events_stream_seq")
			b.row(three, "a")
			b.reach(s, three)
		})
	}
}

// RULES 20: a registration that hangs is neither loaded nor decoded; until it
// has ended the position goes no further than what had been drawn before it.
func TestARegistrationUnderWayIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := newBed(t, reference)
	b.announce("events", "a", 0)
	registering := b.begin() // its snapshot does not matter, its lock does
	_, err := registering.Exec(t.Context(), "INSERT INTO stream_positions VALUES ('events', 'b', 0)")
	b.ok(err)
	cfg := referenceConfig(b.url)
	cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark"}
	// The slot is there already: its creation would wait for the registration.
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err := b.connect().Exec(t.Context(), "SELECT pg_create_logical_replication_slot('tidemark', 'pgoutput')")
		if err != nil {
			t.Error(err)
		}
	}()
	b.ok(registering.Rollback(t.Context()))
	<-done
	registering = b.begin()
	_, err = registering.Exec(t.Context(), "INSERT INTO stream_positions VALUES ('events', 'b', 0)")
	b.ok(err)

	_, s := b.follow(cfg)
	b.following(s)
	// a draws beyond what was drawn when the follower loaded, and says that it
	// is done up to there; b is not seen, and will draw 2.
	one := b.draw("events_stream_seq")
	two := b.draw("events_stream_seq") // b's, soon
	three := b.draw("events_stream_seq")
	b.row(three, "a")
	b.announce("events", "a", three)
	b.await(s, "a's announcement", func(st follower.Status) bool { return st.Writers["a"] == three })
	if p := s.CurrentToken(); p >= one {
		t.Fatalf("position %d while a registration is under way", p)
	}
	b.ok(registering.Commit(t.Context()))
	b.await(s, "b is seen", func(st follower.Status) bool { _, ok := st.Writers["b"]; return ok })
	if p := s.CurrentToken(); p >= two {
		t.Fatalf("position %d while b has %d open", p, two)
	}
	b.row(two, "b")
	b.announce("events", "b", three)
	b.reach(s, three)
}

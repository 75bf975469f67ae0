package follower_test

import (
	"context"
	"testing"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tidemark-pg/tidemark/follower"
)

// What the slot holds of ids that have started over since says nothing of those
// that are drawn now: of those one may be open under the same number. The daemon
// may be stopped again before it has come to read the slot. RULES 4 and 12.
func TestRowsFromBeforeTheIDsStartedOverSayNothing(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"TRUNCATE RESTART IDENTITY": "TRUNCATE events RESTART IDENTITY",
		"setval back":               "DELETE FROM events; SELECT setval('events_id_seq', 1, false)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, keptSchema)
			cfg := keptConfig(b.url)
			s, stop := b.run(cfg)
			b.following(s)
			b.streaming()
			b.reach(s, b.insert(b.sql, "a"))
			b.reach(s, b.insert(b.sql, "a"))
			stop()
			b.exec("INSERT INTO events (instance_name) SELECT 'old' FROM generate_series(1, 20)")
			b.exec(sql)
			for range 2 {
				// The slot is taken: it is not read before the daemon stops.
				taken := b.takeSlot()
				s, stop = b.run(cfg)
				b.await(s, "enrolled", func(follower.Status) bool { return s.Epoch() != "" })
				stop()
				taken()
			}
			open := b.begin()
			held := b.insert(open, "open")
			b.insert(b.sql, "b")
			s, stop = b.run(cfg)
			b.await(s, "the writer", func(st follower.Status) bool { return st.HeldBy != nil })
			b.streaming()
			newest := b.insert(b.sql, "c")
			b.await(s, "the slot is read", func(st follower.Status) bool { return st.Rows >= 22 })
			if st := s.Status(); st.Known && st.Position >= held {
				t.Errorf("position %d while %d is open", st.Position, held)
			}
			epoch := s.Epoch()
			b.ok(open.Commit(t.Context()))
			b.reach(s, newest)
			if st := s.Status(); st.Position != newest || st.Epoch != epoch || st.LateRows != 0 {
				t.Errorf("%+v, want position %d in epoch %s", st, newest, epoch)
			}
			stop()
		})
	}
}

// Where no position is kept, nothing tells that ids have started over since the
// slot was read last: the old rows and the new ones make a run without a gap.
func TestRowsFromBeforeTheIDsStartedOverSayNothingWithoutATable(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	cfg := eventsConfig(b.url)
	cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark"}
	s, stop := b.run(cfg)
	b.following(s)
	b.streaming()
	b.reach(s, b.insert(b.sql, "a"))
	stop()
	b.exec("INSERT INTO events (instance_name) SELECT 'old' FROM generate_series(1, 20)")
	b.exec("TRUNCATE events RESTART IDENTITY")
	b.exec("INSERT INTO events (instance_name) SELECT 'b' FROM generate_series(1, 4)")
	open := b.begin()
	held := b.insert(open, "open")
	b.exec("INSERT INTO events (instance_name) SELECT 'b' FROM generate_series(1, 30)")
	s, stop = b.run(cfg)
	defer stop()
	b.await(s, "who holds it back", func(st follower.Status) bool { return st.HeldBy != nil })
	newest := b.insert(b.sql, "c")
	b.await(s, "the slot is read", func(st follower.Status) bool { return st.Rows >= 55 })
	if st := s.Status(); st.Known && st.Position >= held {
		t.Errorf("position %d while %d is open", st.Position, held)
	}
	b.ok(open.Commit(t.Context()))
	b.reach(s, newest)
}

// takeSlot reads the slot, and confirms nothing of it, until free is called.
func (b *bed) takeSlot() (free func()) {
	b.t.Helper()
	cfg, err := pgconn.ParseConfig(b.url)
	b.ok(err)
	cfg.RuntimeParams["replication"] = "database"
	conn, err := pgconn.ConnectConfig(b.t.Context(), cfg)
	b.ok(err)
	b.ok(pglogrepl.StartReplication(b.t.Context(), conn, "tidemark", 0, pglogrepl.StartReplicationOptions{
		PluginArgs: []string{"proto_version '1'", "publication_names 'tidemark'"},
	}))
	return func() {
		_ = conn.Close(context.Background())
		b.until("the slot is free", "SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'tidemark'")
	}
}

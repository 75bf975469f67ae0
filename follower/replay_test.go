package follower_test

import (
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// RULES 10: what was written while the publication was missing fails to be
// decoded each time (before PostgreSQL 18), also for a follower that comes when
// all is well again and has never seen anything else.
func TestWALThatCannotBeDecodedIsSkippedFromTheStart(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, version pgtest.Option) {
		b := newBed(t, events, version)
		b.exec("SELECT pg_create_logical_replication_slot('tidemark', 'pgoutput')")
		b.exec("DROP PUBLICATION tidemark")
		b.insert(b.sql, "unseen")
		b.exec("CREATE PUBLICATION tidemark FOR TABLE events (id, instance_name) WITH (publish = 'insert')")
		cfg := eventsConfig(b.url)
		cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark"}
		_, s := b.follow(cfg)
		b.following(s)
		id := b.insert(b.sql, "a")
		b.await(s, "the row through the slot", func(st follower.Status) bool { return st.Writers["a"] == id })
	})
}

package follower_test

import (
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
)

// A stream all of whose ids have come through the slot is known, although
// somebody still holds the sequence's lock: a commit is visible before it lets
// its locks go, and no later probe would find anything left to settle.
func TestRowsFromTheFirstOnNeedNoFence(t *testing.T) {
	t.Parallel()
	b := newBed(t, keptSchema)
	b.exec("SELECT pg_create_logical_replication_slot('tidemark', 'pgoutput')")
	for range 3 {
		b.insert(b.sql, "a")
	}
	holder := b.begin()
	_, err := holder.Exec(t.Context(), "SELECT pg_sequence_last_value('events_id_seq'::regclass)") // RULES 5
	b.ok(err)
	_, s := b.follow(keptConfig(b.url))
	b.reach(s, 3)
	b.following(s)
	newest := b.insert(b.sql, "a")
	b.reach(s, newest)
	b.ok(holder.Rollback(t.Context()))
}

// A position has an LSN as soon as it is known, that of an empty stream too: it
// tells whether a standby is far enough for it.
func TestThePositionOfAnEmptyStreamHasAnLSN(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	_, s := b.follow(eventsConfig(b.url))
	st := b.await(s, "a position", func(st follower.Status) bool { return st.Known })
	if st.Position != 0 || st.LSN == 0 {
		t.Errorf("position %d at %s", st.Position, st.LSN)
	}
}

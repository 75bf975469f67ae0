package follower_test

import (
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
)

func TestPositionFollowsCommitsOutOfOrder(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	_, s := b.follow(eventsConfig(b.url))
	b.following(s)
	if p := s.CurrentToken(); p != 0 {
		t.Fatalf("position %d before anything was written", p)
	}
	first := b.begin()
	one := b.insert(first, "a")
	two := b.insert(b.sql, "b")
	st := b.await(s, "who holds the position is named", func(st follower.Status) bool {
		return len(st.HeldBy) == 1 && st.Allocated == two
	})
	if st.Position != one-1 {
		t.Fatalf("position %d while %d is open", st.Position, one)
	}
	if h := st.HeldBy[0]; h.PID == nil || *h.PID == 0 || h.State == nil || *h.State != "idle in transaction" || h.Since == nil {
		t.Fatalf("held by %+v", h)
	}
	b.ok(first.Commit(t.Context()))
	b.reach(s, two)
	// The slot's creation may have waited for the first transaction: what was
	// written meanwhile is loaded.
	b.await(s, "held by nobody, and both writers", func(st follower.Status) bool {
		return len(st.HeldBy) == 0 && st.Writers["a"] == one && st.Writers["b"] == two
	})
}

func TestRolledBackIDsDoNotHoldThePosition(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	_, s := b.follow(eventsConfig(b.url))
	b.following(s)
	unrelated := b.begin() // a write transaction that never touched the sequence
	_, err := unrelated.Exec(t.Context(), "CREATE TABLE other (x int)")
	b.ok(err)
	for range 20 {
		tx := b.begin()
		b.insert(tx, "dead")
		b.ok(tx.Rollback(t.Context()))
		b.reach(s, b.insert(b.sql, "a"))
	}
	// A tail that nobody commits after wakes nobody either.
	tx := b.begin()
	tail := b.insert(tx, "dead")
	b.ok(tx.Rollback(t.Context()))
	b.reach(s, tail)
	if st := s.Status(); st.LateRows != 0 {
		t.Fatalf("%d late rows", st.LateRows)
	}
}

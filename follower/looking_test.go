package follower_test

import (
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
)

// RULES 5: a look at pg_sequences takes the lock that nextval takes. A
// transaction that stays open after it holds back what is drawn beside it and
// comes to nothing, and is named.
func TestWhoLooksAtSequencesIsNamed(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	_, s := b.follow(eventsConfig(b.url))
	b.following(s)
	first := b.insert(b.sql, "a")
	b.reach(s, first)
	looks := b.begin()
	_, err := looks.Exec(t.Context(), "SET LOCAL application_name = 'monitoring'; SELECT * FROM pg_sequences")
	b.ok(err)
	dead := b.begin()
	b.insert(dead, "dead")
	b.ok(dead.Rollback(t.Context()))
	last := b.insert(b.sql, "a")
	st := b.await(s, "who looks is named", func(st follower.Status) bool { return len(st.HeldBy) == 1 })
	if h := st.HeldBy[0]; h.ApplicationName == nil || *h.ApplicationName != "monitoring" || st.Position != first {
		t.Errorf("position %d, held by %+v", st.Position, h)
	}
	b.ok(looks.Rollback(t.Context()))
	b.reach(s, last)
}

package follower_test

import (
	"context"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// RULES 7: the more locks there are the longer it takes to look at them, which
// holds up who takes some: so the rarer it is done, although rows above a gap
// ask for it all the while.
func TestManyLocksAreLookedAtRarely(t *testing.T) {
	b := newBed(t, events, pgtest.Setting("max_locks_per_transaction", "256"))
	f, s := b.follow(eventsConfig(b.url))
	b.following(s)
	b.streaming()
	locks := b.begin()
	_, err := locks.Exec(t.Context(), "SELECT pg_advisory_xact_lock(n) FROM generate_series(1, 12000) n")
	b.ok(err)
	took := time.Hour
	for range 10 {
		began, n := time.Now(), 0
		b.ok(b.sql.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE mode = 'RowExclusiveLock' AND granted").Scan(&n))
		took = min(took, time.Since(began))
	}
	open := b.begin()
	b.insert(open, "open")
	writing, stop := context.WithTimeout(t.Context(), 3*time.Second)
	defer stop()
	began, before := time.Now(), f.Stats().Fences
	for writing.Err() == nil {
		b.insert(b.sql, "a")
	}
	fences, lasted := f.Stats().Fences-before, time.Since(began)
	most := 2*uint64(lasted/(20*took)) + 3 // twice: who measures from here may have been unlucky each time
	t.Logf("%d looks in %s, each of which takes %s", fences, lasted, took)
	if fences > most {
		t.Errorf("%d looks: want %d at most", fences, most)
	}
	b.ok(open.Rollback(t.Context()))
	b.ok(locks.Rollback(t.Context()))
}

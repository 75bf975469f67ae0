package follower_test

import (
	"slices"
	"testing"
	"time"
)

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// gapClosed measures, n times, from the commit of a row above a rolled-back id
// to the position that covers it.
func (b *bed) gapClosed(s interface{ CurrentToken() int64 }, reach func(int64), n int) []time.Duration {
	b.t.Helper()
	other := b.connect()
	var took []time.Duration
	for range n {
		tx, err := other.Begin(b.t.Context())
		b.ok(err)
		b.insert(tx, "dead")
		b.ok(tx.Rollback(b.t.Context()))
		id := b.insert(b.sql, "a")
		began := time.Now()
		reach(id)
		took = append(took, time.Since(began))
	}
	return took
}

func TestAGapClosesWithinMilliseconds(t *testing.T) {
	b := newBed(t, events)
	_, s := b.follow(eventsConfig(b.url))
	b.following(s)
	b.reach(s, b.insert(b.sql, "a"))
	b.streaming()
	reach := func(id int64) { b.reach(s, id) }
	if m := median(b.gapClosed(s, reach, 50)); m > 20*time.Millisecond {
		t.Errorf("a rolled-back id below a new row: median %s to the position", m)
	} else {
		t.Logf("a rolled-back id below a new row: median %s", m)
	}
	unrelated := b.begin()
	_, err := unrelated.Exec(t.Context(), "CREATE TABLE other (x int)")
	b.ok(err)
	if m := median(b.gapClosed(s, reach, 50)); m > 20*time.Millisecond {
		t.Errorf("with an unrelated write transaction open: median %s", m)
	} else {
		t.Logf("with an unrelated write transaction open: median %s", m)
	}
}

func TestFromCommitToWait(t *testing.T) {
	b := newBed(t, events)
	_, s := b.follow(eventsConfig(b.url))
	b.following(s)
	b.streaming()
	var took []time.Duration
	for range 500 {
		id := b.insert(b.sql, "a")
		began := time.Now()
		b.reach(s, id)
		took = append(took, time.Since(began))
	}
	t.Logf("commit returned → Wait returned: median %s, p99 %s", median(took), took[len(took)*99/100])
	if m := median(took); m > 20*time.Millisecond {
		t.Errorf("median %s", m)
	}
}

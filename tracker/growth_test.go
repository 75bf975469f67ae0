package tracker

import (
	"testing"
	"time"
)

// What a writer costs must not grow with the number of writers beyond a
// logarithm: 10 steps for 1,000, 17 for 100,000. (The reference's Advance
// takes the minimum over all of them each time.) The limits are generous, for
// a machine that does something else as well; a walk over all writers costs
// several times as much as the second.
func TestAdvanceDoesNotGrowWithTheWriters(t *testing.T) {
	one := advanceCost(t, 1)
	for writers, limit := range map[int]float64{1000: 25, 100_000: 60} {
		many := advanceCost(t, writers)
		ratio := float64(many) / float64(one)
		t.Logf("%d writers: %v each, %.1f times that of one", writers, many, ratio)
		if ratio > limit {
			t.Errorf("with %d writers Advance costs %v, %.0f times as much as with one (%v): want at most %.0f times",
				writers, many, ratio, one, limit)
		}
	}
}

// advanceCost is the least time of several rounds: whatever else the machine
// does only adds to it.
func advanceCost(t *testing.T, writers int) time.Duration {
	t.Helper()
	const rounds, each = 15, 2000
	tr, names := newTracker(t, Config{}), writerNames(writers)
	id := int64(0)
	for _, name := range names {
		id++
		tr.Advance(name, id)
	}
	best := time.Duration(1<<63 - 1)
	at := 0
	for range rounds {
		began := time.Now()
		for range each {
			id++
			tr.Advance(names[at], id) // the one that holds the minimum
			at = (at + 1) % writers
		}
		best = min(best, time.Since(began)/each)
	}
	if p := tr.CurrentToken(); p <= id-int64(writers)-1 {
		t.Fatalf("position %d after id %d: the minimum does not move", p, id)
	}
	return max(best, 1)
}

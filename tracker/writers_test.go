package tracker

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// TestThinnedWriterPositionIsNeverTooHigh: with any number of rows above P the
// writer's position is exact up to 64 of them and after that at most too low;
// once P has passed them all it is exact again.
func TestThinnedWriterPositionIsNeverTooHigh(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 400).Draw(rt, "rows")
		ids := make([]int64, n)
		for i := range ids {
			ids[i] = 2 * int64(i+1) // a gap under each
		}
		tr := newTracker(t, Config{})
		for _, id := range rapid.Permutation(ids).Draw(rt, "order") {
			tr.Observe("w", id)
		}
		for tr.CurrentToken() < ids[n-1] {
			tr.Settle(tr.CurrentToken() + rapid.Int64Range(1, 20).Draw(rt, "step"))
			newest := min(tr.CurrentToken(), ids[n-1]) / 2 * 2
			at := tr.Positions()["w"]
			if at > newest || (n <= maxPending && at != newest) {
				rt.Fatalf("w at %d, newest row at or below P is %d", at, newest)
			}
		}
		if at := tr.Positions()["w"]; at != ids[n-1] {
			rt.Fatalf("w at %d after P passed %d", at, ids[n-1])
		}
		if got := len(tr.mu.writers.observed["w"].pending); got != 0 {
			rt.Fatalf("%d rows still pending", got)
		}
	})
}

func TestPendingRowsOfAWriterAreBounded(t *testing.T) {
	tr := newTracker(t, Config{})
	for id := int64(2); id < 20_000; id += 2 {
		tr.Observe("w", id)
		if n := len(tr.mu.writers.observed["w"].pending); n > maxPending {
			t.Fatalf("%d rows pending", n)
		}
	}
}

// TestPositionsKeepsTheMostRecentWriters: names that come and go for ever cost
// bounded memory, and nobody who has just moved is missing.
func TestPositionsKeepsTheMostRecentWriters(t *testing.T) {
	tr := newTracker(t, Config{})
	const writers = 10_000
	for i := int64(1); i <= writers; i++ {
		tr.Observe(fmt.Sprintf("job-%d", i), i)
		if n := len(tr.mu.writers.observed); n > maxObserved {
			t.Fatalf("%d writers remembered", n)
		}
	}
	positions := tr.Positions()
	if len(positions) != MaxWriters {
		t.Fatalf("%d positions, want %d", len(positions), MaxWriters)
	}
	for i := int64(writers - MaxWriters + 1); i <= writers; i++ {
		if got := positions[fmt.Sprintf("job-%d", i)]; got != i {
			t.Fatalf("job-%d at %d", i, got)
		}
	}
}

// TestDroppedWriterComesBack: a writer that was dropped for its silence is
// known again with its next row.
func TestDroppedWriterComesBack(t *testing.T) {
	tr := newTracker(t, Config{})
	tr.Observe("buzz", 1) // shares its place among the recent with none of the others
	for i := int64(2); i < maxObserved+10; i++ {
		tr.Observe(fmt.Sprint("job-", i), i)
	}
	if at, known := tr.Positions()["buzz"]; known {
		t.Fatalf("buzz still at %d", at)
	}
	next, _, _ := tr.Unsettled()
	tr.Observe("buzz", next)
	if at := tr.Positions()["buzz"]; at != next {
		t.Errorf("buzz at %d, want %d", at, next)
	}
}

// TestAnnouncedWritersAreNeverDropped: one forgotten would let P pass it.
func TestAnnouncedWritersAreNeverDropped(t *testing.T) {
	tr, names := newTracker(t, Config{}), writerNames(3*MaxWriters)
	tr.Announce("slow", 5)
	for _, name := range names {
		tr.Announce(name, 100)
		tr.Observe(name+" rows only", 3)
	}
	if p := tr.CurrentToken(); p != 5 {
		t.Errorf("P = %d, want that of the slow writer", p)
	}
	tr.Announce("slow", 6)
	positions := tr.Positions()
	if p := tr.CurrentToken(); p != 6 || positions["slow"] != 6 || len(positions) != MaxWriters {
		t.Errorf("P = %d, slow at %d of %d positions", p, positions["slow"], len(positions))
	}
}

// TestPositionsIsACopy: what the caller does with it is the caller's.
func TestPositionsIsACopy(t *testing.T) {
	tr := newTracker(t, Config{})
	tr.Observe("a", 1)
	tr.Positions()["a"] = 99
	if got := tr.Positions()["a"]; got != 1 {
		t.Errorf("a at %d", got)
	}
}

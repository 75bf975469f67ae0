package tracker

import (
	"math"
	"sync"
	"testing"
)

// TestIDGeneratorFirstIDs follows the reference (2.9): an empty table counts as 1.
func TestIDGeneratorFirstIDs(t *testing.T) {
	tests := []struct{ current, step, first, second int64 }{
		{0, 1, 2, 3},
		{1, 1, 2, 3},
		{41, 1, 42, 43},
		{-7, 1, 2, 3},
		{math.MinInt64, 1, 2, 3},
		{5, 0, 6, 7},
		{5, 10, 15, 25},
		{0, -1, -2, -3},
		{9, -1, -2, -3},
		{-41, -1, -42, -43},
		{math.MaxInt64 - 2, 1, math.MaxInt64 - 1, math.MaxInt64},
		{math.MinInt64 + 2, -1, math.MinInt64 + 1, math.MinInt64},
	}
	for _, tt := range tests {
		g := NewIDGenerator(tt.current, tt.step)
		if a, b := g.Next(), g.Next(); a != tt.first || b != tt.second {
			t.Errorf("from %d in steps of %d: %d, %d, want %d, %d", tt.current, tt.step, a, b, tt.first, tt.second)
		}
	}
}

func TestIDGeneratorNeverStartsOver(t *testing.T) {
	for _, g := range []*IDGenerator{
		NewIDGenerator(math.MaxInt64, 1),
		NewIDGenerator(2, math.MaxInt64),
		NewIDGenerator(-2, math.MinInt64),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("handed out an id beyond int64")
				}
			}()
			g.Next()
		}()
	}
}

func TestIDGeneratorConcurrent(t *testing.T) {
	const goroutines, each = 8, 500
	g, ids := NewIDGenerator(0, 1), make([][]int64, goroutines)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			for range each {
				ids[i] = append(ids[i], g.Next())
			}
		})
	}
	wg.Wait()
	seen := map[int64]bool{}
	for _, mine := range ids {
		for k, id := range mine {
			if seen[id] || (k > 0 && id <= mine[k-1]) {
				t.Fatalf("id %d twice or out of order", id)
			}
			seen[id] = true
		}
	}
	if !seen[2] || !seen[goroutines*each+1] {
		t.Error("the ids are not consecutive")
	}
}

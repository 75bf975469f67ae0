package rows

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/tidemark-pg/tidemark/internal/bench/contest"
	"github.com/tidemark-pg/tidemark/tracker"
)

// memory is comparison 8: what an old open transaction makes a tracker keep.
func memory() contest.Comparison {
	return contest.Comparison{
		Key:   "8",
		Title: "One open transaction, 1 M ids above it, 15 % of them dead",
		Method: "The open transaction holds the first id; of the others 85 % are observed, in order. Then the fence settles " +
			"all of them, and the position is looked at.",
		Rounds:  9,
		Metrics: []contest.Metric{{Name: "tracker", Unit: "MB"}, {Name: "to P", Unit: "ms"}},
		Targets: []contest.Target{
			{Text: "≤ 8 MB", Of: ours, Metric: "tracker", AtMost: 8},
			{Text: "P correct ≤ 10 ms after the end", Of: ours, Metric: "to P", AtMost: 10},
		},
		Prepare: prepareMemory,
	}
}

func prepareMemory(_ context.Context, s *contest.Stage) ([]contest.Contender, error) {
	n := int64(s.Size(1_000_000))
	return []contest.Contender{{Name: ours, Run: func(context.Context) (contest.Result, error) {
		return standstill(n)
	}}}, nil
}

func standstill(n int64) (contest.Result, error) {
	t, err := tracker.New(tracker.Config{Stream: "events"})
	if err != nil {
		return nil, err
	}
	before := heap()
	withGaps(t, n)
	kept := heap() - before
	if p := t.CurrentToken(); p != 0 {
		return nil, fmt.Errorf("position %d while id 1 is open", p)
	}
	began := time.Now()
	t.Settle(n)
	p := t.CurrentToken()
	took := time.Since(began)
	if p != n {
		return nil, fmt.Errorf("position %d after all up to %d were settled", p, n)
	}
	return contest.Result{"tracker": float64(kept) / 1e6, "to P": milliseconds(took)}, nil
}

// dead is the share of ids that were rolled back.
const dead = 0.15

// withGaps observes the ids from 2 to n but for those that are dead. The
// choice of those is the same each time.
func withGaps(t *tracker.Tracker, n int64) {
	dice := rand.New(rand.NewPCG(1, 2))
	for id := int64(2); id <= n; id++ {
		if dice.Float64() >= dead {
			t.Observe("writer-1", id)
		}
	}
}

// heap is how much is in use once what is not has been swept.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

package rows

import (
	"context"
	"fmt"

	"github.com/tidemark-pg/tidemark/internal/bench/contest"
	"github.com/tidemark-pg/tidemark/tracker"
)

// verbs is comparison 7: what each method of a tracker costs.
func verbs() contest.Comparison {
	return contest.Comparison{
		Key:   "7",
		Title: "What a tracker's methods cost",
		Method: "One operation, in memory: in-order Observe and Settle, Announce in turn by 1,000 writers, CurrentToken on " +
			"one core and on all at once (time of one on each), and a Wait that blocks together with the Observe that ends it.",
		Rounds: 15,
		Metrics: []contest.Metric{
			{Name: "time", Unit: "ns"}, {Name: "allocations"},
		},
		Chart: contest.Chart{Metric: "time", Log: true},
		Targets: []contest.Target{
			{Text: "Observe ≤ 40 ns", Of: "Observe", Metric: "time", AtMost: 40},
			{Text: "Observe: 0 allocations", Of: "Observe", Metric: "allocations", Zero: true},
			{Text: "CurrentToken ≤ 3 ns", Of: "CurrentToken", Metric: "time", AtMost: 3},
			{
				Text: "CurrentToken scales: all cores at once ≤ 1.5x one", Of: "CurrentToken, all cores", Over: "CurrentToken",
				Metric: "time", AtMost: 1.5,
			},
			{Text: "Announce, 1,000 writers ≤ 500 ns", Of: "Announce, 1,000 writers", Metric: "time", AtMost: 500},
		},
		Prepare: prepareVerbs,
	}
}

func prepareVerbs(_ context.Context, s *contest.Stage) ([]contest.Contender, error) {
	n := s.Count(2_000_000, 1000)
	return []contest.Contender{
		operation("Observe", n, func(t *tracker.Tracker) func(int) {
			id := int64(0)
			return func(n int) {
				for range n {
					id++
					t.Observe("writer-1", id)
				}
			}
		}),
		operation("Settle", n, func(t *tracker.Tracker) func(int) {
			id := int64(0)
			return func(n int) {
				for range n {
					id++
					t.Settle(id)
				}
			}
		}),
		operation("Announce, 1,000 writers", n/4, announcing),
		operation("CurrentToken", n*8, reading),
		{Name: "CurrentToken, all cores", Run: func(context.Context) (contest.Result, error) {
			t, err := tracker.New(tracker.Config{Stream: "events"})
			if err != nil {
				return nil, err
			}
			return contest.Result{"time": onAllCores(n*8, reading(t))}, nil
		}},
		operation("Wait, woken", n/16, waking),
	}, nil
}

func operation(name string, n int, work func(*tracker.Tracker) func(n int)) contest.Contender {
	return contest.Contender{Name: name, Run: func(context.Context) (contest.Result, error) {
		t, err := tracker.New(tracker.Config{Stream: "events"})
		if err != nil {
			return nil, err
		}
		defer t.Close(nil)
		took, allocations := perOperation(n, work(t))
		return contest.Result{"time": took, "allocations": hundredths(allocations)}, nil
	}}
}

// reading is not inlined, so that one core and all of them run the same code.
//
//go:noinline
func reading(t *tracker.Tracker) func(int) {
	return func(n int) {
		for range n {
			t.CurrentToken()
		}
	}
}

func announcing(t *tracker.Tracker) func(int) {
	const writers = 1000
	names := make([]string, writers)
	for i := range names {
		names[i] = fmt.Sprintf("writer-%d", i)
		t.Announce(names[i], 0)
	}
	id := 0
	return func(n int) {
		for range n {
			id++
			t.Announce(names[id%writers], int64(id))
		}
	}
}

// waking hands a position to a waiter, one at a time. The waiter ends when the
// tracker is closed.
func waking(t *tracker.Tracker) func(int) {
	arrived := make(chan struct{})
	go func() {
		for id := int64(1); t.Wait(context.Background(), id) == nil; id++ {
			arrived <- struct{}{}
		}
	}()
	id := int64(0)
	return func(n int) {
		for range n {
			id++
			t.Observe("writer-1", id)
			<-arrived
		}
	}
}

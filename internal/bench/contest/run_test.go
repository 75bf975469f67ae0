package contest_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tidemark-pg/tidemark/internal/bench/contest"
)

// scripted is a contender that returns one number after the other, and says
// when it is run.
func scripted(name string, order *[]string, values ...float64) contest.Contender {
	return contest.Contender{Name: name, Run: func(context.Context) (contest.Result, error) {
		*order = append(*order, name)
		v := values[0]
		values = values[1:]
		return contest.Result{"time": v}, nil
	}}
}

func run(t *testing.T, c contest.Comparison, contenders ...contest.Contender) contest.Outcome {
	t.Helper()
	c.Prepare = func(context.Context, *contest.Stage) ([]contest.Contender, error) { return contenders, nil }
	o, err := c.Run(t.Context(), contest.Stage{Scale: 1}, func(string, contest.Result) {})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestContendersTakeTurns(t *testing.T) {
	var order []string
	run(t, contest.Comparison{Rounds: 3},
		scripted("a", &order, 1, 1, 1), scripted("b", &order, 1, 1, 1), scripted("c", &order, 1, 1, 1))
	if got := strings.Join(order, ""); got != "abcbcacab" {
		t.Errorf("order %s", got)
	}
}

// The machine is slower in each round, and in each a is half of b.
func TestRatiosAreTakenWithinARound(t *testing.T) {
	var order []string
	o := run(t, contest.Comparison{Rounds: 3, Targets: []contest.Target{
		{Of: "a", Over: "b", Metric: "time", AtMost: 0.5},
		{Of: "a", Over: "b", Metric: "time", AtMost: 0.49},
		{Of: "b", Over: "a", Metric: "time", AtLeast: 2},
		{Of: "a", Metric: "time", AtMost: 9},
		{Of: "a", Metric: "time", Zero: true},
		{Of: "a", Metric: "unknown", AtMost: 1},
	}}, scripted("a", &order, 10, 20, 40), scripted("b", &order, 20, 40, 80))
	for i, want := range []struct {
		met    bool
		median float64
	}{{true, 0.5}, {false, 0.5}, {true, 2}, {false, 20}, {false, 20}, {false, 0}} {
		if v := o.Verdicts()[i]; v.Met != want.met || v.Value.Median != want.median {
			t.Errorf("target %d: %+v, want %+v", i, v, want)
		}
	}
}

func TestSummary(t *testing.T) {
	var order []string
	o := run(t, contest.Comparison{Rounds: 5}, scripted("a", &order, 5, 1, 4, 2, 3))
	if s := o.Runs[0].Summary("time"); s != (contest.Summary{N: 5, Median: 3, Low: 2, High: 4}) {
		t.Errorf("summary %+v", s)
	}
	if s := o.Runs[0].Summary("unknown"); s.N != 0 {
		t.Errorf("summary of nothing: %+v", s)
	}
}

func TestWhatWasPreparedIsClearedUp(t *testing.T) {
	var cleared []string
	failed := errors.New("no")
	_, err := contest.Comparison{Key: "x", Rounds: 1, Prepare: func(_ context.Context, s *contest.Stage) ([]contest.Contender, error) {
		s.Defer(func() error { cleared = append(cleared, "first"); return nil })
		s.Defer(func() error { cleared = append(cleared, "second"); return nil })
		return []contest.Contender{{Name: "a", Run: func(context.Context) (contest.Result, error) { return nil, failed }}}, nil
	}}.Run(t.Context(), contest.Stage{Scale: 1}, func(string, contest.Result) {})
	if !errors.Is(err, failed) || strings.Join(cleared, " ") != "second first" {
		t.Errorf("cleared %v, error %v", cleared, err)
	}
}

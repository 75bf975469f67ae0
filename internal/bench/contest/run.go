package contest

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// Runs are the results of one contender, one a round.
type Runs struct {
	// Contender that was run.
	Contender string
	// X is Contender.X.
	X float64
	// Results in the order of the rounds.
	Results []Result
}

// Outcome is a comparison with what came of it.
type Outcome struct {
	// Comparison that was run.
	Comparison Comparison
	// Runs of the contenders, in their order.
	Runs []Runs
}

// Run prepares a comparison, runs its rounds, and clears up. progress is told
// each run as it ends.
func (c Comparison) Run(ctx context.Context, s Stage, progress func(contender string, r Result)) (o Outcome, err error) {
	defer func() {
		err = errors.Join(err, s.close())
		if err != nil {
			err = fmt.Errorf("comparison %s: %w", c.Key, err)
		}
	}()
	contenders, err := c.Prepare(ctx, &s)
	if err != nil {
		return o, fmt.Errorf("prepare: %w", err)
	}
	o.Comparison = c
	for _, contender := range contenders {
		o.Runs = append(o.Runs, Runs{Contender: contender.Name, X: contender.X})
	}
	for round := range rounds(c.Rounds, s.Scale) {
		for i := range contenders {
			turn := (i + round) % len(contenders) // nobody always comes first
			r, err := contenders[turn].Run(ctx)
			if err != nil {
				return o, fmt.Errorf("%s, round %d: %w", contenders[turn].Name, round+1, err)
			}
			o.Runs[turn].Results = append(o.Runs[turn].Results, r)
			progress(contenders[turn].Name, r)
		}
	}
	return o, nil
}

// rounds shrinks the number of rounds with the square root of the scale: a
// short run should rather be noisy in each round than have only one.
func rounds(full int, scale float64) int {
	return max(1, int(math.Round(float64(full)*math.Sqrt(min(scale, 1)))))
}

// Summary of a metric of one contender.
func (r Runs) Summary(metric string) Summary {
	var values []float64
	for _, result := range r.Results {
		if v, ok := result[metric]; ok {
			values = append(values, v)
		}
	}
	return summarise(values)
}

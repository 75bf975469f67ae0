package rows

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/bench/bed"
	"github.com/tidemark-pg/tidemark/internal/bench/contest"
)

const (
	largeTable = "10 M rows"
	smallTable = "1,000 rows"
)

// startup is comparison 11: from nothing to the first position.
func startup() contest.Comparison {
	return contest.Comparison{
		Key:     "11",
		Title:   "Start-up: the first position",
		Method:  "From starting a follower, connections and all, to its first position, on a table of 10 M rows and one of 1,000.",
		Rounds:  15,
		Metrics: []contest.Metric{{Name: "time", Unit: "ms"}},
		Targets: []contest.Target{
			{Text: "≤ 100 ms", Of: largeTable, Metric: "time", AtMost: 100},
			{Text: "independent of the table: ≤ 1.5x 1,000 rows", Of: largeTable, Over: smallTable, Metric: "time", AtMost: 1.5},
		},
		Prepare: prepareStartup,
	}
}

func prepareStartup(ctx context.Context, s *contest.Stage) ([]contest.Contender, error) {
	var all []contest.Contender
	for _, table := range []struct {
		name, database string
		rows           int
	}{{largeTable, "bench_large", s.Size(10_000_000)}, {smallTable, "bench_small", 1000}} {
		db, err := eventsIn(ctx, s, table.database)
		if err != nil {
			return nil, err
		}
		err = db.Exec(ctx, "SET synchronous_commit = off",
			fmt.Sprintf("INSERT INTO events (instance_name) SELECT 'w' FROM generate_series(1, %d)", table.rows))
		if err != nil {
			return nil, err
		}
		all = append(all, contest.Contender{Name: table.name, Run: func(ctx context.Context) (contest.Result, error) {
			return firstPosition(ctx, db, int64(table.rows))
		}})
	}
	return all, nil
}

func firstPosition(ctx context.Context, db *bed.Database, rows int64) (_ contest.Result, err error) {
	began := time.Now()
	f, err := bed.Follow(ctx, db.Events())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Stop()) }()
	if err := f.Events.WaitFor(ctx, follower.Target{}); err != nil {
		return nil, fmt.Errorf("wait for the first position: %w", err)
	}
	took := time.Since(began)
	if p := f.Events.CurrentToken(); p != rows {
		return nil, fmt.Errorf("the first position is %d, of %d rows", p, rows)
	}
	return contest.Result{"time": milliseconds(took)}, nil
}

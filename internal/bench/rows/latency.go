package rows

import (
	"context"
	"errors"
	"time"

	"github.com/tidemark-pg/tidemark/internal/bench/bed"
	"github.com/tidemark-pg/tidemark/internal/bench/contest"
)

// Metrics of comparison 4.
const (
	oneP50, oneP99   = "1 writer, p50", "1 writer, p99"
	manyP50, manyP99 = "16 writers, p50", "16 writers, p99"
	manyRate         = "16 writers, reached"
)

// Writers of the comparisons with load, and the rate that they offer.
const (
	manyWriters = 16
	offered     = 1500
	oneOffered  = 100
)

// latency is comparison 4: from the INSERT to the reader that may read the row.
func latency() contest.Comparison {
	return contest.Comparison{
		Key:   "4",
		Title: "From INSERT to the reader",
		Method: "From issuing the INSERT to the reader's knowing of the row: for Tidemark a Wait that has returned, which " +
			"says that it and every row before it are visible; for the pglogrepl loop only the receipt of the commit, which " +
			"says neither. One writer at 100 rows a second, and 16 that offer 1,500 together.",
		Rounds: 5,
		Metrics: []contest.Metric{
			{Name: oneP50, Unit: "ms"},
			{Name: oneP99, Unit: "ms"},
			{Name: manyP50, Unit: "ms"},
			{Name: manyP99, Unit: "ms"},
			{Name: manyRate, Unit: "rows/s"},
		},
		Chart: contest.Chart{Metric: manyP50, Log: true},
		Targets: []contest.Target{
			{Text: "1 writer, p50 ≤ 2x the receipt", Of: ours, Over: receiving, Metric: oneP50, AtMost: 2},
			{Text: "16 writers, p50 ≤ 2x the receipt", Of: ours, Over: receiving, Metric: manyP50, AtMost: 2},
			{Text: "16 writers, p99 below NOTIFY's", Of: ours, Over: notifying, Metric: manyP99, AtMost: 1},
			{Text: "1 writer, ≥ 100x below polling once a second", Of: polling, Over: ours, Metric: oneP50, AtLeast: 100},
			{Text: "16 writers, ≥ 100x below polling once a second", Of: polling, Over: ours, Metric: manyP50, AtLeast: 100},
		},
		Prepare: prepareLatency,
	}
}

func prepareLatency(ctx context.Context, s *contest.Stage) ([]contest.Contender, error) {
	db, err := eventsIn(ctx, s, "bench_latency")
	if err != nil {
		return nil, err
	}
	span := s.Span(6 * time.Second)
	contender := func(name string, open opening) contest.Contender {
		return contest.Contender{Name: name, Run: func(ctx context.Context) (contest.Result, error) {
			return measureLatency(ctx, db, open, span)
		}}
	}
	return []contest.Contender{
		contender(ours, openTidemark),
		contender(receiving, openLoop),
		contender(notifying, openNotify),
		contender(gapPolling, openGapRule(s.Rule(3*time.Second))),
		contender(polling, openWatermill),
	}, nil
}

func measureLatency(ctx context.Context, db *bed.Database, open opening, span time.Duration) (_ contest.Result, err error) {
	r, err := open(ctx, db)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	one, _, err := load{writers: 1, rate: oneOffered, span: span}.measure(ctx, db.URL, r)
	if err != nil {
		return nil, err
	}
	many, reached, err := load{writers: manyWriters, rate: offered, span: span}.measure(ctx, db.URL, r)
	if err != nil {
		return nil, err
	}
	a, b := one.quantiles(0.5, 0.99), many.quantiles(0.5, 0.99)
	return contest.Result{oneP50: a[0], oneP99: a[1], manyP50: b[0], manyP99: b[1], manyRate: reached}, nil
}

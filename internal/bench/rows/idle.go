package rows

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/tidemark-pg/tidemark/internal/bench/bed"
	"github.com/tidemark-pg/tidemark/internal/bench/contest"
)

// idle is comparison 9: what a follower costs when nothing happens.
func idle() contest.Comparison {
	return contest.Comparison{
		Key:   "9",
		Title: "Idle cost",
		Method: "A follower of a stream to which nobody writes, after the first 5 s: statements as the server logs them " +
			"(`log_statement = all`), and the processor time of the process (getrusage) as a share of one core.",
		Rounds:  3,
		Metrics: []contest.Metric{{Name: "statements", Unit: "per s"}, {Name: "processor", Unit: "% of a core"}},
		Targets: []contest.Target{
			{Text: "≤ 2 statements a second", Of: ours, Metric: "statements", AtMost: 2},
			{Text: "≤ 0.5 % of a core", Of: ours, Metric: "processor", AtMost: 0.5},
		},
		Prepare: prepareIdle,
	}
}

func prepareIdle(ctx context.Context, s *contest.Stage) ([]contest.Contender, error) {
	db, err := eventsIn(ctx, s, "bench_idle")
	if err != nil {
		return nil, err
	}
	if err := db.Exec(ctx, "ALTER DATABASE bench_idle SET log_statement = 'all'"); err != nil {
		return nil, err
	}
	settle, span := s.Span(5*time.Second), s.Span(20*time.Second)
	return []contest.Contender{{Name: ours, Run: func(ctx context.Context) (_ contest.Result, err error) {
		f, err := bed.FollowStreaming(ctx, db, db.Events())
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, f.Stop()) }()
		runtime.GC() // of what other comparisons left
		if err := sleep(ctx, settle); err != nil {
			return nil, err
		}
		return watchIdle(ctx, s.Server, span)
	}}}, nil
}

func watchIdle(ctx context.Context, server *bed.Server, span time.Duration) (contest.Result, error) {
	statements := logged(server)
	used, err := processorTime()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := sleep(ctx, span); err != nil {
		return nil, err
	}
	took := time.Since(began)
	after, err := processorTime()
	if err != nil {
		return nil, err
	}
	return contest.Result{
		"statements": float64(logged(server)-statements) / took.Seconds(),
		"processor":  100 * (after - used).Seconds() / took.Seconds(),
	}, nil
}

// logged counts the statements in the server's log: simple ones, and each
// execution of a prepared one.
func logged(server *bed.Server) int {
	const everything = 1 << 30
	n := 0
	for line := range strings.Lines(server.LogTail(everything)) {
		if strings.Contains(line, "LOG:  statement: ") || strings.Contains(line, "LOG:  execute ") {
			n++
		}
	}
	return n
}

// processorTime is what this process has used, with the programs that it has
// run and that have ended.
func processorTime() (all time.Duration, err error) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var used syscall.Rusage
		if err := syscall.Getrusage(who, &used); err != nil {
			return 0, fmt.Errorf("getrusage: %w", err)
		}
		all += time.Duration(used.Utime.Nano() + used.Stime.Nano())
	}
	return all, nil
}

// sleep returns early, with an error, when ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

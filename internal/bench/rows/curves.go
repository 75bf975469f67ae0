package rows

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/bench/bed"
	"github.com/tidemark-pg/tidemark/internal/bench/contest"
	"github.com/tidemark-pg/tidemark/tracker"
)

// rowsCurve draws what a backlog costs by the size of its transactions.
func rowsCurve() contest.Comparison {
	return contest.Comparison{
		Key:     "rows",
		Title:   "Draining a backlog, by rows per transaction",
		Method:  "300,000 rows wait in a slot.",
		Rounds:  3,
		Metrics: []contest.Metric{{Name: "rate", Unit: "rows/s"}},
		Chart:   contest.Chart{Metric: "rate", Axis: "rows per transaction"},
		Prepare: func(ctx context.Context, s *contest.Stage) ([]contest.Contender, error) {
			var all []contest.Contender
			for _, per := range []int{1, 10, 100, 1000} {
				b, err := newBacklog(ctx, s, fmt.Sprintf("bench_rows_%d", per), s.Count(300_000, 2000), per)
				if err != nil {
					return nil, err
				}
				all = append(all,
					draining(ours, b, per, drainByFollower),
					draining("pg_recvlogical", b, per, drainByRecvLogical(s.Server.RecvLogical)))
			}
			return all, nil
		},
	}
}

func draining(name string, b *backlog, x int, drain drains) contest.Contender {
	return contest.Contender{Name: name, X: float64(x), Run: func(ctx context.Context) (contest.Result, error) {
		took, err := timed(func() error { return drain(ctx, b) })
		return contest.Result{"rate": float64(b.rows) / took.Seconds()}, err
	}}
}

// writersCurve draws latency by the number of writers that offer the same.
func writersCurve() contest.Comparison {
	return contest.Comparison{
		Key:     "writers",
		Title:   "From INSERT to the reader, p50, by writers",
		Method:  "All writers together offer 1,000 rows a second.",
		Rounds:  3,
		Metrics: []contest.Metric{{Name: "p50", Unit: "ms"}, {Name: "p99", Unit: "ms"}},
		Chart:   contest.Chart{Metric: "p50", Log: true, Axis: "writers"},
		Prepare: func(ctx context.Context, s *contest.Stage) ([]contest.Contender, error) {
			db, err := eventsIn(ctx, s, "bench_writers")
			if err != nil {
				return nil, err
			}
			var all []contest.Contender
			for _, n := range []int{1, 4, 16, 64} {
				l := load{writers: n, rate: 1000, span: s.Span(3 * time.Second)}
				all = append(all, loading(ours, db, l, openTidemark), loading(receiving, db, l, openLoop),
					loading(notifying, db, l, openNotify))
			}
			return all, nil
		},
	}
}

func loading(name string, db *bed.Database, l load, open opening) contest.Contender {
	return contest.Contender{Name: name, X: float64(l.writers), Run: func(ctx context.Context) (_ contest.Result, err error) {
		r, err := open(ctx, db)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, r.stop()) }()
		took, _, err := l.measure(ctx, db.URL, r)
		q := took.quantiles(0.5, 0.99)
		return contest.Result{"p50": q[0], "p99": q[1]}, err
	}}
}

// streamsCurve draws latency by the number of streams of one follower.
func streamsCurve() contest.Comparison {
	return contest.Comparison{
		Key:     "streams",
		Title:   "From INSERT to the reader, p50, by streams of one follower",
		Method:  "Four writers offer 400 rows a second together, spread over all streams.",
		Rounds:  3,
		Metrics: []contest.Metric{{Name: "p50", Unit: "ms"}, {Name: "p99", Unit: "ms"}},
		Chart:   contest.Chart{Metric: "p50", Log: true, Axis: "streams"},
		Prepare: func(ctx context.Context, s *contest.Stage) ([]contest.Contender, error) {
			var all []contest.Contender
			for _, n := range []int{1, 10, 100} {
				c, err := streaming(ctx, s, n)
				if err != nil {
					return nil, err
				}
				all = append(all, c)
			}
			return all, nil
		},
	}
}

func streaming(ctx context.Context, s *contest.Stage, n int) (contest.Contender, error) {
	db, err := eventsIn(ctx, s, fmt.Sprintf("bench_streams_%d", n))
	if err != nil {
		return contest.Contender{}, err
	}
	n = s.Size(n)
	cfg := db.Events()
	var create []string
	for i := 1; i < n; i++ {
		table := fmt.Sprintf("events_%d", i)
		create = append(create, "CREATE TABLE "+table+" (LIKE events INCLUDING ALL)",
			"ALTER PUBLICATION "+bed.Publication+" ADD TABLE "+table+" (id, instance_name)")
		cfg.Streams = append(cfg.Streams, follower.StreamConfig{Name: table, Tables: []follower.TableConfig{
			{Name: "public." + table, IDColumn: "id", InstanceColumn: "instance_name"},
		}})
	}
	if err := db.Exec(ctx, create...); err != nil {
		return contest.Contender{}, err
	}
	l := load{writers: 4, rate: 400, span: s.Span(3 * time.Second)}
	return contest.Contender{Name: ours, X: float64(n), Run: func(ctx context.Context) (contest.Result, error) {
		return measureStreams(ctx, db, cfg, l)
	}}, nil
}

func measureStreams(ctx context.Context, db *bed.Database, cfg follower.Config, l load) (_ contest.Result, err error) {
	f, err := bed.FollowStreaming(ctx, db, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Stop()) }()
	var took latencies
	var turn atomic.Int64
	streams := f.Follower.Streams()
	_, err = l.write(ctx, db.URL, func(ctx context.Context, conn *pgx.Conn, writer string) error {
		st := streams[int(turn.Add(1))%len(streams)]
		began := time.Now()
		var id int64
		err := conn.QueryRow(ctx, "INSERT INTO "+st.Name()+" (instance_name) VALUES ($1) RETURNING id", writer).Scan(&id)
		if err != nil {
			return fmt.Errorf("insert: %w", err)
		}
		err = st.Wait(ctx, id)
		took.add(time.Since(began))
		return err
	})
	q := took.quantiles(0.5, 0.99)
	return contest.Result{"p50": q[0], "p99": q[1]}, err
}

// gapsCurve draws what a row costs while many gaps stand.
func gapsCurve() contest.Comparison {
	return contest.Comparison{
		Key:     "gaps",
		Title:   "Observing a row, by gaps that stand above the position",
		Method:  "Every second id is missing; a row is observed at the upper end.",
		Rounds:  9,
		Metrics: []contest.Metric{{Name: "time", Unit: "ns"}},
		Chart:   contest.Chart{Metric: "time", Axis: "gaps"},
		Prepare: func(_ context.Context, s *contest.Stage) ([]contest.Contender, error) {
			return growing(s, []int{1, 10, 100, 1000, 10_000, 100_000, 1_000_000}, func(t *tracker.Tracker, gaps int) func(int) {
				id := int64(0)
				for range gaps {
					id += 2
					t.Observe("writer-1", id)
				}
				return func(n int) {
					for range n {
						id++
						t.Observe("writer-1", id)
					}
				}
			}), nil
		},
	}
}

// waitersCurve draws what a move costs while many wait for a later one.
func waitersCurve() contest.Comparison {
	return contest.Comparison{
		Key:     "waiters",
		Title:   "Moving the position, by waiters that it does not reach",
		Method:  "Each waiter is a goroutine in Wait, for a position of its own.",
		Rounds:  9,
		Metrics: []contest.Metric{{Name: "time", Unit: "ns"}},
		Chart:   contest.Chart{Metric: "time", Axis: "waiters"},
		Prepare: func(_ context.Context, s *contest.Stage) ([]contest.Contender, error) {
			return growing(s, []int{1, 10, 100, 1000, 10_000, 100_000}, func(t *tracker.Tracker, waiters int) func(int) {
				enlist(t, waiters)
				id := int64(0)
				return func(n int) {
					for range n {
						id++
						t.Observe("writer-1", id)
					}
				}
			}), nil
		},
	}
}

// enlist has goroutines wait for what never comes; they end with the tracker.
func enlist(t *tracker.Tracker, waiters int) {
	var begun sync.WaitGroup
	begun.Add(waiters)
	for i := range waiters {
		go func() {
			begun.Done()
			_ = t.Wait(context.Background(), 1<<60+int64(i)) // ends with the tracker, and an error
		}()
	}
	begun.Wait()
	time.Sleep(time.Duration(waiters) * time.Microsecond) // from begun to waiting
}

// growing times an operation of a tracker with more and more in it.
func growing(s *contest.Stage, sizes []int, prepare func(t *tracker.Tracker, size int) func(n int)) []contest.Contender {
	var all []contest.Contender
	for _, size := range sizes {
		c := operation("Observe", s.Count(1_000_000, 1000), func(t *tracker.Tracker) func(int) {
			return prepare(t, s.Size(size))
		})
		c.X = float64(size)
		all = append(all, c)
	}
	return all
}

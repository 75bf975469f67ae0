package rows

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark-pg/tidemark/internal/bench/bed"
	"github.com/tidemark-pg/tidemark/internal/bench/contest"
)

// gap is comparison 6: an id that was rolled back, and what it holds up.
func gap() contest.Comparison {
	return contest.Comparison{
		Key:   "6",
		Title: "A gap closes after a rollback",
		Method: "16 writers write 1,000 rows a second, and an unrelated transaction that has written stays open. Again and " +
			"again a transaction draws an id and rolls back: from issuing the ROLLBACK to the position's passing that id. " +
			"Polling below xmin is timed by the next row that it should deliver, and given 5 s.",
		Rounds:  5,
		Metrics: []contest.Metric{{Name: "p50", Unit: "ms"}, {Name: "p99", Unit: "ms"}},
		Chart:   contest.Chart{Metric: "p50", Log: true},
		Targets: []contest.Target{
			{Text: "p50 ≤ 5 ms", Of: ours, Metric: "p50", AtMost: 5},
			{Text: "p99 ≤ 50 ms", Of: ours, Metric: "p99", AtMost: 50},
		},
		Notes: []string{
			"Polling below xmin stands still for as long as the unrelated transaction is open: what is shown is where the run " +
				"was given up.",
		},
		Prepare: prepareGap,
	}
}

func prepareGap(ctx context.Context, s *contest.Stage) ([]contest.Contender, error) {
	db, err := eventsIn(ctx, s, "bench_gap")
	if err != nil {
		return nil, err
	}
	if err := db.Exec(ctx, "CREATE TABLE unrelated (x int)"); err != nil {
		return nil, err
	}
	givenUp := s.Rule(5 * time.Second)
	contender := func(name string, open opening, make making, span time.Duration) contest.Contender {
		g := gaps{db: db, make: make, span: span, givenUp: givenUp}
		return contest.Contender{Name: name, Run: func(ctx context.Context) (contest.Result, error) {
			return g.beside(ctx, open)
		}}
	}
	return []contest.Contender{
		contender(ours, openTidemark, rollBack, s.Span(5*time.Second)),
		contender(gapPolling, openGapRule(s.Rule(3*time.Second)), rollBack, s.Span(2*time.Second)),
		contender(polling, openWatermill, insertNext, s.Span(time.Second)),
	}, nil
}

// gaps are made one after the other, without waiting for them to close.
type gaps struct {
	db      *bed.Database
	make    making
	span    time.Duration
	givenUp time.Duration // when a reader that stands still is
}

// making makes one gap. It returns the id that is to be passed, and when the
// time began.
type making func(ctx context.Context, conn *pgx.Conn, r *reader) (id int64, began time.Time, err error)

func rollBack(ctx context.Context, conn *pgx.Conn, r *reader) (id int64, began time.Time, err error) {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return 0, began, fmt.Errorf("begin: %w", err)
	}
	if err := tx.QueryRow(ctx, r.insert, "dead").Scan(&id); err != nil {
		return 0, began, fmt.Errorf("insert: %w", err)
	}
	began = time.Now()
	return id, began, tx.Rollback(ctx)
}

// insertNext writes the row that a reader below xmin should deliver next.
func insertNext(ctx context.Context, conn *pgx.Conn, r *reader) (id int64, began time.Time, err error) {
	began = time.Now()
	err = conn.QueryRow(ctx, r.insert, "next").Scan(&id)
	return id, began, err
}

// beside makes gaps while a reader reads, others write, and an unrelated
// transaction is open.
func (g gaps) beside(ctx context.Context, open opening) (_ contest.Result, err error) {
	r, err := open(ctx, g.db)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	unrelated, err := openUnrelated(ctx, g.db)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unrelated.Close(context.WithoutCancel(ctx)) }()

	others, err := load{writers: manyWriters, rate: 1000, span: time.Hour}.connect(ctx, g.db.URL)
	if err != nil {
		return nil, err
	}
	defer others.close(ctx)
	writing, stop := context.WithCancel(ctx)
	writers, writing := errgroup.WithContext(writing)
	writers.Go(func() error {
		_, err := others.write(writing, insertRow(r.insert))
		return err
	})
	took, err := g.measure(ctx, r)
	stop()
	if err := errors.Join(err, writers.Wait()); err != nil {
		return nil, err
	}
	q := took.quantiles(0.5, 0.99)
	return contest.Result{"p50": q[0], "p99": q[1]}, nil
}

// openUnrelated begins a transaction that has written, and leaves it open. It
// ends with its session.
func openUnrelated(ctx context.Context, db *bed.Database) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, db.URL)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if _, err := conn.Exec(ctx, "BEGIN; INSERT INTO unrelated VALUES (1)"); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return conn, nil
}

// measure makes the gaps and times each.
func (g gaps) measure(ctx context.Context, r *reader) (*latencies, error) {
	var took latencies
	awaiting, ctx := errgroup.WithContext(ctx)
	one := load{writers: 1, rate: 20, span: g.span}
	_, err := one.write(ctx, g.db.URL, func(writing context.Context, conn *pgx.Conn, _ string) error {
		id, began, err := g.make(writing, conn, r)
		if err != nil {
			return err
		}
		awaiting.Go(func() error {
			wait, cancel := context.WithDeadline(ctx, began.Add(g.givenUp))
			defer cancel()
			err := r.await(wait, id)
			took.add(time.Since(began))
			if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
				return nil
			}
			return err
		})
		return nil
	})
	return &took, errors.Join(err, awaiting.Wait())
}

package rows

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark-pg/tidemark/internal/bench/contest"
)

// load is writers that insert one row after the other.
type load struct {
	writers int
	rate    float64 // rows a second of all together; 0: as many as go
	span    time.Duration
}

// crew is the writers of a load, connected.
type crew struct {
	load
	conns []*pgx.Conn
}

// connect connects the writers; close ends their sessions.
func (l load) connect(ctx context.Context, url string) (*crew, error) {
	c := &crew{load: l}
	for range l.writers {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			c.close(ctx)
			return nil, fmt.Errorf("connect a writer: %w", err)
		}
		c.conns = append(c.conns, conn)
	}
	return c, nil
}

func (c *crew) close(ctx context.Context) {
	for _, conn := range c.conns {
		_ = conn.Close(context.WithoutCancel(ctx)) // what it wrote is committed
	}
}

// write has the writers call insert until the span or ctx is over, and returns
// how many calls a second succeeded. Writers that fall behind the rate do not
// catch up.
func (c *crew) write(ctx context.Context, insert inserting) (perSecond float64, err error) {
	var done atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for i, conn := range c.conns {
		group.Go(func() error {
			name := fmt.Sprintf("writer-%d", i)
			return c.each(ctx, began, func() error {
				err := insert(ctx, conn, name)
				if err == nil {
					done.Add(1)
				}
				return err
			})
		})
	}
	err = group.Wait()
	return float64(done.Load()) / time.Since(began).Seconds(), err
}

// write connects writers and has them write.
func (l load) write(ctx context.Context, url string, insert inserting) (perSecond float64, err error) {
	c, err := l.connect(ctx, url)
	if err != nil {
		return 0, err
	}
	defer c.close(ctx)
	return c.write(ctx, insert)
}

// each calls one writer's insert at its times.
func (l load) each(ctx context.Context, began time.Time, insert func() error) error {
	var every time.Duration
	if l.rate > 0 {
		every = time.Duration(float64(l.writers) / l.rate * float64(time.Second))
	}
	next := began.Add(time.Duration(rand.Float64() * float64(every)))
	for {
		if wait := time.Until(next); wait > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
		}
		if time.Since(began) >= l.span || ctx.Err() != nil {
			return nil
		}
		if err := insert(); err != nil {
			if ctx.Err() != nil {
				return nil // stopped in the middle of it
			}
			return err
		}
		if next = next.Add(every); time.Since(next) > 0 {
			next = time.Now()
		}
	}
}

// latencies are times from the issue of an insert to its row's arrival, in
// milliseconds.
type latencies struct {
	mu  sync.Mutex
	all []float64
}

func (l *latencies) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, milliseconds(d))
}

func (l *latencies) quantiles(q ...float64) []float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.all)
	values := make([]float64, len(q))
	for i, q := range q {
		values[i] = contest.Quantile(l.all, q)
	}
	return values
}

// late is how long a row may take to arrive.
const late = 2 * time.Minute

// measure has writers write to a reader, and times each row.
func (l load) measure(ctx context.Context, url string, r *reader) (*latencies, float64, error) {
	var took latencies
	awaiting, ctx := errgroup.WithContext(ctx)
	perSecond, err := l.write(ctx, url, func(writing context.Context, conn *pgx.Conn, writer string) error {
		began := time.Now()
		var id int64
		if err := conn.QueryRow(writing, r.insert, writer).Scan(&id); err != nil {
			return fmt.Errorf("insert: %w", err)
		}
		awaiting.Go(func() error {
			wait, cancel := context.WithTimeout(ctx, late)
			defer cancel()
			err := r.await(wait, id)
			took.add(time.Since(began))
			return err
		})
		return nil
	})
	if waited := awaiting.Wait(); err == nil {
		err = waited
	}
	return &took, perSecond, err
}

package rows

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark-pg/tidemark/internal/bench/bed"
	"github.com/tidemark-pg/tidemark/internal/bench/contest"
)

// clients is the task of many readers of one daemon.
type clients struct {
	// Daemon is host:port, Database the URL of where rows are written.
	Daemon, Database string
	// Clients is how many there are.
	Clients int
	// Rate of rows a second, for so many seconds.
	Rate, Seconds float64
}

// listening is the task while it runs.
type listening struct {
	clients
	first  int64          // id of the first row
	issued []atomic.Int64 // when each was issued, in nanoseconds since 1970
	delays histogram
	events atomic.Int64
	ready  chan struct{} // one for each client that knows the first position
}

// run connects the clients, writes the rows, and returns how long they took.
func (c clients) run(ctx context.Context) (contest.Result, error) {
	conn, err := pgx.Connect(ctx, c.Database)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	l := &listening{clients: c, issued: make([]atomic.Int64, int(c.Rate*c.Seconds)), ready: make(chan struct{}, c.Clients)}
	if err := conn.QueryRow(ctx, bed.Insert, "probe").Scan(&l.first); err != nil {
		return nil, fmt.Errorf("insert: %w", err)
	}
	l.first++ // nobody else writes: ids go on one by one
	alone, err := scrape(ctx, c.Daemon)
	if err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	began := make(chan time.Time, 1)
	var used, held cost
	group.Go(func() (err error) {
		used, held, err = l.write(ctx, conn, began)
		return err
	})
	group.Go(func() error { return l.listen(ctx) })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	took := time.Since(<-began).Seconds()
	return contest.Result{
		"p50": l.delays.quantile(0.5), "p99": l.delays.quantile(0.99), "events": float64(l.events.Load()) / took,
		daemonUsed: 100 * used.seconds / took, daemonHeld: max(0, held.bytes-alone.bytes) / 1000 / float64(c.Clients),
	}, nil
}

// write writes the rows once all clients are there. It returns what the daemon
// used meanwhile, and held while they were there: with the last row they leave.
func (l *listening) write(ctx context.Context, conn *pgx.Conn, began chan<- time.Time) (used, held cost, err error) {
	for range l.Clients {
		select {
		case <-l.ready:
		case <-ctx.Done():
			return used, held, ctx.Err()
		}
	}
	before, err := scrape(ctx, l.Daemon)
	if err != nil {
		return used, held, err
	}
	l.events.Store(0)
	began <- time.Now()
	tick := time.NewTicker(time.Duration(float64(time.Second) / l.Rate))
	defer tick.Stop()
	for i := range l.issued {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return used, held, ctx.Err()
		}
		if i == len(l.issued)-1 {
			if held, err = scrape(ctx, l.Daemon); err != nil {
				return used, held, err
			}
			used.seconds = held.seconds - before.seconds
		}
		if err := l.insert(ctx, conn, i); err != nil {
			return used, held, err
		}
	}
	return used, held, nil
}

// insert writes a row, and notes when.
func (l *listening) insert(ctx context.Context, conn *pgx.Conn, i int) error {
	l.issued[i].Store(time.Now().UnixNano())
	var id int64
	if err := conn.QueryRow(ctx, bed.Insert, "writer").Scan(&id); err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	if id != l.first+int64(i) {
		return fmt.Errorf("row %d got id %d: somebody else writes", l.first+int64(i), id)
	}
	return nil
}

// client is one of the readers.
type client struct {
	next int64  // the first id that it has not heard of
	rest []byte // of a line whose end has not come
}

// request asks for the events. HTTP/1.0: they come as they are, not in chunks.
func (l *listening) request() string {
	return "GET /v1/streams/events/events HTTP/1.0\r\nHost: " + l.Daemon + "\r\n\r\n"
}

// hear takes what came for a reader. It reports whether that knows of the last
// row.
func (l *listening) hear(r *client, data []byte) (done bool, err error) {
	now := time.Now().UnixNano()
	for {
		line, others, whole := bytes.Cut(data, []byte("\n"))
		if !whole {
			r.rest = append(r.rest, line...)
			return r.next >= l.first+int64(len(l.issued)), nil
		}
		line, data = append(r.rest, line...), others
		r.rest = line[:0]
		text, ok := bytes.CutPrefix(line, []byte("id: "))
		if !ok {
			continue
		}
		position, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
		if err != nil {
			return false, fmt.Errorf("read an event: %w", err)
		}
		l.events.Add(1)
		if position == l.first-1 {
			l.ready <- struct{}{}
		}
		for ; r.next <= position; r.next++ {
			l.delays.add(time.Duration(now - l.issued[r.next-l.first].Load()))
		}
	}
}

// histogram counts durations in buckets that are 2 % wide.
type histogram struct {
	buckets [1024]atomic.Int64
}

const bucketWidth = 1.02

func (h *histogram) add(d time.Duration) {
	at := math.Log(max(1, float64(d.Microseconds()))) / math.Log(bucketWidth)
	h.buckets[min(int(at), len(h.buckets)-1)].Add(1)
}

// quantile in milliseconds: the upper end of its bucket.
func (h *histogram) quantile(q float64) float64 {
	var all, below int64
	for i := range h.buckets {
		all += h.buckets[i].Load()
	}
	for i := range h.buckets {
		below += h.buckets[i].Load()
		if float64(below) >= q*float64(all) {
			return math.Pow(bucketWidth, float64(i+1)) / 1000
		}
	}
	return math.NaN()
}

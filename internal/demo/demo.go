package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/pgcluster"
)

// DefaultDuration is how long the writers write unless Options say otherwise.
const DefaultDuration = 20 * time.Second

// patience is how long the end may take: for the last transactions to be
// settled and read.
const patience = 30 * time.Second

// Options of the command.
type Options struct {
	// Duration is how long the writers write; 0 is DefaultDuration.
	Duration time.Duration
	// Out takes the lines.
	Out io.Writer
}

// schema has one stream in two tables that draw their ids from one sequence.
const schema = `CREATE SEQUENCE stream_ids;
CREATE TABLE messages (id bigint PRIMARY KEY DEFAULT nextval('stream_ids'), writer text NOT NULL, body text);
CREATE TABLE receipts (id bigint PRIMARY KEY DEFAULT nextval('stream_ids'), writer text NOT NULL, body text);
CREATE PUBLICATION tidemark FOR TABLE messages (id, writer), receipts (id, writer) WITH (publish = 'insert')`

// stream is the stream of schema.
func stream() follower.StreamConfig {
	return follower.StreamConfig{
		Name: "chat", Sequence: "public.stream_ids",
		Tables: []follower.TableConfig{
			{Name: "public.messages", IDColumn: "id", InstanceColumn: "writer"},
			{Name: "public.receipts", IDColumn: "id", InstanceColumn: "writer"},
		},
	}
}

// Run shows the demo and returns an error where the worker missed a row or read
// one twice, or something else went wrong. The server is gone when it returns.
// It ends early, without a verdict and an error, when ctx does.
func Run(ctx context.Context, o Options) error {
	if o.Duration <= 0 {
		o.Duration = DefaultDuration
	}
	err := run(ctx, o)
	if ctx.Err() != nil {
		_, err = fmt.Fprintln(o.Out, "stopped before the end: no verdict")
	}
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}

func run(ctx context.Context, o Options) (err error) {
	binaries, err := pgcluster.Find(0)
	if err != nil {
		return err
	}
	s := &screen{out: o.Out}
	s.printf("starting a private PostgreSQL %s server …\n", binaries.Version)
	cluster, err := pgcluster.Start(ctx, pgcluster.Options{Binaries: binaries})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	d := &demo{url: cluster.URL("", ""), duration: o.Duration, screen: s}
	if d.sql, err = connect(ctx, d.url, "demo"); err != nil {
		return err
	}
	defer func() { _ = d.sql.Close(context.WithoutCancel(ctx)) }() // its server goes with it
	if _, err := d.sql.Exec(ctx, schema); err != nil {
		return fmt.Errorf("make the tables: %w", err)
	}
	if err := d.follow(ctx); err != nil {
		return err
	}
	return s.err
}

// demo is one run on its server.
type demo struct {
	url      string
	duration time.Duration
	screen   *screen
	sql      *pgx.Conn

	positions *follower.Stream
	worker    worker
	naive     naive
}

// follow runs a follower beside the show.
func (d *demo) follow(ctx context.Context) error {
	f, err := follower.New(follower.Config{Database: d.url, Streams: []follower.StreamConfig{stream()}})
	if err != nil {
		return err
	}
	d.positions = f.Streams()[0]
	following, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(following)
	group.Go(func() error { return f.Run(following) })
	group.Go(func() error {
		defer stop()
		return d.show(ctx)
	})
	return group.Wait()
}

// show lets writers write and readers read, and then judges.
func (d *demo) show(ctx context.Context) error {
	// Whoever writes before the first fence would only delay it.
	if err := d.positions.WaitFor(ctx, follower.Target{}); err != nil {
		return err
	}
	d.screen.begin(d.duration)
	if err := d.live(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errLate)
	defer cancel()
	if err := d.settle(ctx); err != nil {
		if errors.Is(context.Cause(ctx), errLate) {
			err = fmt.Errorf("%w: %w", errLate, err)
		}
		return err
	}
	v, err := judge(ctx, d.sql, &d.worker.seen, &d.naive.seen)
	if err != nil {
		return err
	}
	d.screen.verdict(v)
	return v.err()
}

var errLate = errors.New("the last rows were not read in time")

// live is the part that is watched: everything at once, for the duration.
func (d *demo) live(ctx context.Context) error {
	stop, cancel := context.WithTimeout(ctx, d.duration)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	for i, w := range cast() {
		group.Go(func() error { return w.run(ctx, stop, d.url, i) })
	}
	group.Go(func() error { return d.worker.run(stop, d.url, d.positions, nil) })
	group.Go(func() error { return d.naive.run(ctx, stop, d.url) })
	group.Go(func() error { return d.watch(stop) })
	return group.Wait()
}

// settle waits until the position covers all that was drawn, and has the
// readers read the rest: the worker from the position that it has stored.
func (d *demo) settle(ctx context.Context) error {
	var last int64
	if err := d.sql.QueryRow(ctx, "SELECT last_value FROM stream_ids").Scan(&last); err != nil {
		return fmt.Errorf("ask for the last id: %w", err)
	}
	d.screen.printf("the writers have stopped at id %d: reading what is left …\n", last)
	if err := d.worker.run(ctx, d.url, d.positions, &last); err != nil {
		return err
	}
	if err := d.naive.read(ctx, d.sql); err != nil {
		return err
	}
	d.screen.line(d.duration, d.positions.Status(), d.worker.seen.len(), d.naive.seen.len())
	return nil
}

// watch prints a line each second.
func (d *demo) watch(ctx context.Context) error {
	began := time.Now()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-second.C:
			d.screen.line(time.Since(began), d.positions.Status(), d.worker.seen.len(), d.naive.seen.len())
		}
	}
}

// connect opens a session that pg_stat_activity shows by name.
func connect(ctx context.Context, url, name string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["application_name"] = name
	return pgx.ConnectConfig(ctx, config)
}

package tailing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/tail"
	"github.com/tidemark-pg/tidemark/internal/config"
)

// Options of the command.
type Options struct {
	// Stream is the name of the stream to read.
	Stream string
	// After is the id beyond which to read; nil is from the beginning.
	After *int64
	// Limit is how many rows to write before it ends, whose last id is
	// completed; 0 is no limit.
	Limit int64
	// Follow waits for more rows; without it the end is the position found at
	// the start.
	Follow bool
}

// UsageError is a mistake in the command line, as opposed to a failure.
type UsageError struct {
	// Problem is one line: what is wrong and what would be right.
	Problem string
}

// Error is the problem.
func (e *UsageError) Error() string { return e.Problem }

// Run writes the rows to stdout, and to stderr in words what it waits for. It
// returns nil at the end that Follow and Limit set, when ctx ends, and when
// nobody reads stdout any more; otherwise the one error that ended it, which is
// a *UsageError where the options are at fault.
func Run(ctx context.Context, cfg *config.Config, o Options, stdout, stderr io.Writer) error {
	stream, err := o.stream(cfg)
	if err != nil {
		return err
	}
	f, err := follower.New(o.follower(cfg, stream))
	if err != nil {
		return fmt.Errorf("tail stream %q: %w", stream.Name, err)
	}
	r := &run{
		options: o, stream: stream, positions: f.Streams()[0], database: cfg.Follower.Database,
		lines: newLines(stdout), notices: notices{to: stderr, stream: stream.Name},
	}
	err = r.run(ctx, f)
	if err == nil || ctx.Err() != nil || errors.Is(err, errNobodyReads) {
		return nil
	}
	return err
}

// stream is the configured stream that the options name.
func (o Options) stream(cfg *config.Config) (follower.StreamConfig, error) {
	var known []string
	for _, s := range cfg.Follower.Streams {
		if s.Name == o.Stream {
			return s, o.fit(s)
		}
		known = append(known, fmt.Sprintf("%q", s.Name))
	}
	return follower.StreamConfig{}, &UsageError{fmt.Sprintf("there is no stream %q: the configuration has %s", o.Stream, strings.Join(known, ", "))}
}

// fit judges the options that depend on the stream.
func (o Options) fit(s follower.StreamConfig) error {
	switch {
	case o.Limit < 0:
		return &UsageError{fmt.Sprintf("--limit %d: give the number of rows to read, or 0 for no limit", o.Limit)}
	case o.After != nil && s.Descending && *o.After > 0:
		return &UsageError{fmt.Sprintf("--after %d: ids of the descending stream %q are negative", *o.After, s.Name)}
	case o.After != nil && !s.Descending && *o.After < 0:
		return &UsageError{fmt.Sprintf("--after %d: ids of the ascending stream %q are positive", *o.After, s.Name)}
	}
	return nil
}

// follower configures the command's own follower: of one stream, with a slot
// that nobody else uses or none.
func (o Options) follower(cfg *config.Config, stream follower.StreamConfig) follower.Config {
	c := cfg.Follower
	c.Slot = follower.SlotConfig{Kind: follower.SlotTemporary}
	if !o.Follow {
		c.Slot.Kind = follower.SlotNone
	}
	c.Streams = []follower.StreamConfig{stream}
	c.Logger, c.PublishedFunc = nil, nil // notices say what matters here
	return c
}

// run is one call of Run.
type run struct {
	options   Options
	stream    follower.StreamConfig
	positions *follower.Stream
	database  string
	lines     *lines
	notices   notices
}

// reachable fails where the server cannot be reached at the start: then the
// address is wrong more often than not. Later a follower waits until it is back.
func reachable(ctx context.Context, f *follower.Follower) error {
	_, err := f.Check(ctx)
	if _, unreached := errors.AsType[*pgconn.ConnectError](err); unreached {
		return err
	}
	return nil // what else there is to say of the database says the follower
}

// errDone ends the follower when the reading has come to its end.
var errDone = errors.New("the end is reached")

func (r *run) run(ctx context.Context, f *follower.Follower) error {
	if err := reachable(ctx, f); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return f.Run(ctx) })
	group.Go(func() error { return r.notices.watch(ctx, r.positions) })
	group.Go(func() error {
		if err := r.read(ctx); err != nil {
			return err
		}
		return errDone
	})
	if err := group.Wait(); !errors.Is(err, errDone) {
		return err
	}
	return nil
}

// read writes the rows.
func (r *run) read(ctx context.Context) error {
	c := tail.Config{Stream: r.stream, Positions: r.positions, Database: r.database, Limit: r.options.Limit}
	if r.options.After != nil {
		c.After = *r.options.After
	}
	if !r.options.Follow {
		if err := r.positions.WaitFor(ctx, follower.Target{}); err != nil {
			return err
		}
		st := r.positions.Status()
		c.Until, c.Epoch = &st.Position, st.Epoch
	}
	t, err := tail.New(c)
	if err != nil {
		return err
	}
	return t.Run(ctx, func(_ context.Context, b tail.Batch) error { return r.lines.write(b.Rows) })
}

package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/tail"
)

// worker reads by the position, and stores nothing but that.
type worker struct {
	seen   seen
	stored int64
}

// run reads from where it stopped, until ctx ends or up to the id given.
func (w *worker) run(ctx context.Context, url string, positions *follower.Stream, until *int64) error {
	t, err := tail.New(tail.Config{
		Stream: stream(), Positions: positions, Database: url, After: w.stored, Until: until,
	})
	if err != nil {
		return err
	}
	err = t.Run(ctx, func(_ context.Context, b tail.Batch) error {
		for _, row := range b.Rows {
			w.seen.add(row.ID)
		}
		w.stored = b.Position
		return nil
	})
	if until == nil && ctx.Err() != nil {
		return nil
	}
	return err
}

// naive reads by the last id that it saw, as many programs do.
type naive struct {
	seen seen
	last int64
}

// naivePause is how often it asks.
const naivePause = 20 * time.Millisecond

func (n *naive) run(ctx, stop context.Context, url string) error {
	conn, err := connect(ctx, url, "naive reader")
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // its server goes with it
	for stop.Err() == nil {
		if err := n.read(ctx, conn); err != nil {
			return err
		}
		pause(stop, naivePause)
	}
	return nil
}

func (n *naive) read(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `SELECT id FROM messages WHERE id > $1 UNION ALL SELECT id FROM receipts WHERE id > $1 ORDER BY id`, n.last)
	if err != nil {
		return fmt.Errorf("read naively: %w", err)
	}
	var id int64
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error {
		n.seen.add(id)
		n.last = id
		return nil
	})
	if err != nil {
		return fmt.Errorf("read naively: %w", err)
	}
	return nil
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

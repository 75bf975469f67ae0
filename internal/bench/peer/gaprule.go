package peer

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// GapRule polls the table events, and takes a missing id for dead once it has
// been missing for some seconds. It loses the rows of a transaction that takes
// longer.
type GapRule struct {
	// URL is the database.
	URL string
	// Every is the pause between polls, Patience how long a gap may stand.
	Every, Patience time.Duration
	// After is the id to begin after.
	After int64
}

// Run tells of the position each time it has moved, until ctx ends.
func (g GapRule) Run(ctx context.Context, tell func(position int64)) error {
	conn, err := pgx.Connect(ctx, g.URL)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	position := g.After
	var polls []poll
	for {
		now := time.Now()
		newest, next, err := g.look(ctx, conn, position)
		if err != nil {
			return err
		}
		polls = append(polls, poll{at: now, newest: newest})
		for len(polls) > 0 && now.Sub(polls[0].at) >= g.Patience {
			next = max(next, polls[0].newest) // what is missing below is taken for dead
			polls = polls[1:]
		}
		if next > position {
			position = next
			tell(position)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(g.Every):
		}
	}
}

// poll is what one poll saw.
type poll struct {
	at     time.Time
	newest int64
}

// look returns the newest id above the position, and the last one before the
// first gap; the position where there is none.
func (g GapRule) look(ctx context.Context, conn *pgx.Conn, position int64) (newest, next int64, err error) {
	rows, err := conn.Query(ctx, "SELECT id FROM events WHERE id > $1 ORDER BY id LIMIT 100000", position)
	if err != nil {
		return 0, 0, fmt.Errorf("poll: %w", err)
	}
	newest, next = position, position
	var id int64
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error {
		if newest = id; id == next+1 {
			next = id
		}
		return nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("poll: %w", err)
	}
	return newest, next, nil
}

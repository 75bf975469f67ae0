package peer

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// Channel that writers notify.
const Channel = "events"

// InsertNotify writes a row and notifies of its id, in one statement: the
// cheapest way of a NOTIFY with each commit. Its parameter is the writer's name.
const InsertNotify = `WITH written AS (
	INSERT INTO events (instance_name, payload) VALUES ($1, 'forty bytes of whatever an event carries') RETURNING id
) SELECT id FROM written, pg_notify('` + Channel + `', id::text)`

// Listen tells of each id that is notified until ctx ends. started is called
// when it listens.
func Listen(ctx context.Context, url string, started func(), tell func(id int64)) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN "+Channel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	started()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("wait for a notification: %w", err)
		}
		id, err := strconv.ParseInt(n.Payload, 10, 64)
		if err != nil {
			return fmt.Errorf("read a notification: %w", err)
		}
		tell(id)
	}
}

package peer

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/jackc/pgx/v5/pgxpool"
)

// InsertWatermill writes a message as Watermill's publisher does; its
// parameter is the writer's name. It returns the message's offset, which its
// uuid repeats.
const InsertWatermill = `INSERT INTO watermill_events (uuid, payload, metadata, transaction_id)
	SELECT o::text, json_build_object('writer', $1::text), NULL, pg_current_xact_id() FROM nextval('watermill_ids') o
	RETURNING uuid::bigint`

// Watermill is Watermill's SQL subscriber, as it comes: it polls once a second
// for messages of transactions below xmin.
type Watermill struct {
	pool       *pgxpool.Pool
	subscriber *sql.Subscriber
}

// topic is the name of the messages.
const topic = "events"

// OpenWatermill makes a subscriber and its tables.
func OpenWatermill(ctx context.Context, url string) (*Watermill, error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	w := &Watermill{pool: pool}
	w.subscriber, err = sql.NewSubscriber(sql.BeginnerFromPgx(pool), sql.SubscriberConfig{
		SchemaAdapter: sql.DefaultPostgreSQLSchema{}, OffsetsAdapter: sql.DefaultPostgreSQLOffsetsAdapter{}, InitializeSchema: true,
	}, nil)
	if err == nil {
		_, err = pool.Exec(ctx, "CREATE SEQUENCE IF NOT EXISTS watermill_ids")
	}
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("make a subscriber: %w", err)
	}
	return w, nil
}

// Run tells of each message until ctx ends. started is called when messages
// can be written.
func (w *Watermill) Run(ctx context.Context, started func(), tell func(id int64)) error {
	messages, err := w.subscriber.Subscribe(ctx, topic)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	started()
	for m := range messages {
		var id int64
		if _, err := fmt.Sscan(m.UUID, &id); err != nil {
			return fmt.Errorf("read a message: %w", err)
		}
		m.Ack()
		tell(id)
	}
	return ctx.Err()
}

// Close ends the subscriber.
func (w *Watermill) Close() error {
	err := w.subscriber.Close()
	w.pool.Close()
	return err
}

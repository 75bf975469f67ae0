package allocator_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/tracker/allocator"
)

// Two ways to write a row: under an id drawn ahead, and under one drawn inside
// the transaction.
func Example() {
	ctx := context.Background()
	server, err := pgcluster.Start(ctx, pgcluster.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = server.Close() }()
	if err := write(ctx, server.URL("", "")); err != nil {
		fmt.Println(err)
	}
	// Output:
	// wrote 1
	// wrote 2
	// complete up to 2
}

const tables = `CREATE SEQUENCE events_seq; CREATE TABLE events (id bigint PRIMARY KEY, instance_name text);
CREATE TABLE stream_positions (stream_name text, instance_name text, stream_id bigint,
	PRIMARY KEY (stream_name, instance_name))`

func write(ctx context.Context, url string) error {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, tables); err != nil {
		return err
	}
	a, err := allocator.Open(ctx, pool, allocator.Config{
		Stream: "events", Instance: "worker1", Writers: []string{"worker1"}, Sequence: "events_seq",
		Tables: []allocator.Table{{Name: "events", IDColumn: "id", InstanceColumn: "instance_name"}},
	})
	if err != nil {
		return err
	}
	const insert = "INSERT INTO events VALUES ($1, 'worker1')"
	err = a.With(ctx, 1, func(ctx context.Context, ids []int64) error {
		fmt.Println("wrote", ids[0])
		_, err := pool.Exec(ctx, insert, ids[0])
		return err
	})
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		h, err := a.NextTx(ctx, tx) // done when tx has ended, however
		if err != nil {
			return err
		}
		fmt.Println("wrote", h.IDs()[0])
		_, err = tx.Exec(ctx, insert, h.IDs()[0])
		return err
	})
	if err != nil {
		return err
	}
	if err := a.Wait(ctx, 2); err != nil {
		return err
	}
	fmt.Println("complete up to", a.CurrentToken())
	return a.Close(ctx)
}

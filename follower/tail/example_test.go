package tail_test

import (
	"context"
	"fmt"
	"log"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/tail"
)

// A worker handles every row of a stream once, in order, and remembers nothing
// but a position and its epoch.
func ExampleTail_Run() {
	ctx := context.Background()
	url, stop := exampleDatabase(ctx, `
		CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item text);
		CREATE PUBLICATION tidemark FOR TABLE orders (id) WITH (publish = 'insert');
		INSERT INTO orders (item) VALUES ('tea'), ('biscuits'), ('jam')`)
	defer stop()

	stream := follower.StreamConfig{
		Name:   "orders",
		Tables: []follower.TableConfig{{Name: "public.orders", IDColumn: "id"}},
	}
	f, err := follower.New(follower.Config{Database: url, Streams: []follower.StreamConfig{stream}})
	if err != nil {
		log.Fatal(err)
	}
	following, cancel := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() { stopped <- f.Run(following) }()

	orders, _ := f.Stream("orders")
	var stored struct { // in a table of the worker's, as a rule
		position int64
		epoch    string
	}
	t, err := tail.New(tail.Config{
		Stream: stream, Positions: orders, Database: url,
		After: stored.position, Epoch: stored.epoch, Limit: 3,
	})
	if err != nil {
		log.Fatal(err)
	}
	err = t.Run(ctx, func(_ context.Context, b tail.Batch) error {
		for _, row := range b.Rows {
			fmt.Println(row.ID, string(row.Columns))
		}
		stored.position, stored.epoch = b.Position, b.Epoch
		return nil
	})
	cancel()
	fmt.Println("stored:", stored.position, err, <-stopped)
	// Output:
	// 1 {"id":1,"item":"tea"}
	// 2 {"id":2,"item":"biscuits"}
	// 3 {"id":3,"item":"jam"}
	// stored: 3 <nil> <nil>
}

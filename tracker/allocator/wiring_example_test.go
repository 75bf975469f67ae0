package allocator_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/tracker"
	"github.com/tidemark-pg/tidemark/tracker/allocator"
)

// A process that writes a stream and reads it: the allocator draws and announces,
// the follower learns what everybody has announced, and tells the allocator. The
// process's own position comes back to it that way as well, which is what lets
// it count where anybody may write.
func Example_follower() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	server, err := pgcluster.Start(ctx, pgcluster.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = server.Close() }()
	if err := writeAndRead(ctx, server.URL("", "")); err != nil {
		fmt.Println(err)
	}
	// Output:
	// wrote 1
	// failed: 2
	// wrote 3
	// read 1 by worker1
	// read 3 by worker1
	// complete up to 3
}

// published is what `tidemark setup` makes.
const published = `ALTER TABLE stream_positions REPLICA IDENTITY USING INDEX stream_positions_pkey;
CREATE PUBLICATION tidemark FOR TABLE events (id, instance_name) WITH (publish = 'insert');
CREATE PUBLICATION tidemark_positions FOR TABLE stream_positions WITH (publish = 'insert, update, delete')`

func writeAndRead(ctx context.Context, url string) error {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, tables+";"+published); err != nil {
		return err
	}
	a, err := allocator.Open(ctx, pool, allocator.Config{
		Stream: "events", Instance: "worker1", Sequence: "events_seq", // no Writers: anybody may write
		Tables: []allocator.Table{{Name: "events", IDColumn: "id", InstanceColumn: "instance_name"}},
	})
	if err != nil {
		return err
	}
	unfollow, err := embed(ctx, url, a)
	if err != nil {
		return err
	}
	failure := errors.New("not this one")
	for n := range 3 {
		err := a.With(ctx, 1, func(ctx context.Context, ids []int64) error {
			if n == 1 {
				fmt.Println("failed:", ids[0])
				return failure
			}
			fmt.Println("wrote", ids[0])
			_, err := pool.Exec(ctx, "INSERT INTO events VALUES ($1, 'worker1')", ids[0])
			return err
		})
		if err != nil && !errors.Is(err, failure) {
			return err
		}
	}
	if err := a.Wait(ctx, 3); err != nil {
		return err
	}
	position := a.CurrentToken() // first the position, then the query
	rows, err := pool.Query(ctx, "SELECT id, instance_name FROM events WHERE id <= $1 ORDER BY id", position)
	if err != nil {
		return err
	}
	var id int64
	var writer string
	if _, err := pgx.ForEachRow(rows, []any{&id, &writer}, func() error {
		fmt.Println("read", id, "by", writer)
		return nil
	}); err != nil {
		return err
	}
	fmt.Println("complete up to", position)
	return errors.Join(unfollow(), a.Close(ctx))
}

// embed runs a follower that tells the allocator how far the stream is complete.
//
// Only P may be told, not the single writers' positions: those say nothing of a
// writer who is registering at this moment, and P does.
func embed(ctx context.Context, url string, a *allocator.Allocator) (stop func() error, err error) {
	f, err := follower.New(follower.Config{
		Database: url,
		Streams: []follower.StreamConfig{{
			Name: "events", Allocation: follower.AllocationAnnounced, Sequence: "events_seq",
			Tables: []follower.TableConfig{{Name: "events", IDColumn: "id", InstanceColumn: "instance_name"}},
		}},
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()

	events, _ := f.Stream("events")
	tell := func(tracker.Move) {
		a.Apply([]tracker.Event{{Verb: tracker.VerbSettle, To: events.CurrentToken()}})
	}
	unsubscribe := events.Subscribe(tell)
	tell(tracker.Move{}) // what was there before
	return func() error {
		unsubscribe()
		cancel()
		return <-ended
	}, nil
}

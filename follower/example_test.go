package follower_test

import (
	"context"
	"fmt"
	"log"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/pgcluster"
)

// A worker that embeds a follower: it waits for something new, asks how far it
// may read, and reads up to there.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	url, stop := privateServer(ctx)
	defer stop()
	db, err := pgx.Connect(ctx, url)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close(ctx)

	f, err := follower.New(follower.Config{
		Database: url,
		Streams: []follower.StreamConfig{{
			Name:   "events",
			Tables: []follower.TableConfig{{Name: "public.events", IDColumn: "id", InstanceColumn: "instance_name"}},
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- f.Run(ctx) }()

	// Any program, in any language: writers know nothing of Tidemark.
	if _, err := db.Exec(ctx, "INSERT INTO events (instance_name) VALUES ('a'), ('b')"); err != nil {
		log.Fatal(err)
	}

	events, _ := f.Stream("events")
	last := int64(0) // what this worker has read before
	if err := events.Wait(ctx, 2); err != nil {
		log.Fatal(err)
	}
	position := events.CurrentToken()
	rows, err := db.Query(ctx, "SELECT id, instance_name FROM events WHERE id > $1 AND id <= $2 ORDER BY id", last, position)
	if err != nil {
		log.Fatal(err)
	}
	var id int64
	var writer string
	if _, err := pgx.ForEachRow(rows, []any{&id, &writer}, func() error {
		fmt.Println(id, writer)
		return nil
	}); err != nil {
		log.Fatal(err)
	}
	cancel()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
	// Output:
	// 1 a
	// 2 b
}

// privateServer stands for yours.
func privateServer(ctx context.Context) (url string, stop func()) {
	cluster, err := pgcluster.Start(ctx, pgcluster.Options{})
	if err != nil {
		log.Fatal(err)
	}
	url = cluster.URL("", "")
	db, err := pgx.Connect(ctx, url)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close(ctx)
	if _, err := db.Exec(ctx, events); err != nil {
		log.Fatal(err)
	}
	return url, func() {
		if err := cluster.Close(); err != nil {
			log.Print(err)
		}
	}
}

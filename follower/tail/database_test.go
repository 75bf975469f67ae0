package tail_test

import (
	"context"
	"log"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/internal/pgcluster"
)

// exampleDatabase starts a server for an example, and runs sql in it.
func exampleDatabase(ctx context.Context, sql string) (url string, stop func()) {
	cluster, err := pgcluster.Start(ctx, pgcluster.Options{})
	if err != nil {
		log.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, cluster.URL("", ""))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		log.Fatal(err)
	}
	return cluster.URL("", ""), func() { _ = cluster.Close() }
}

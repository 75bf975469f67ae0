package tail_test

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/tail"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// A former primary that is back, and stands first in the connection string, is
// not read: positions come from the newest one.
func TestAFormerPrimaryIsPassedOver(t *testing.T) {
	t.Parallel()
	former := pgtest.Start(t)
	pgtest.Exec(t, pgtest.Connect(t, former), two)
	newest := pgtest.Standby(t, former, "standby")
	pgtest.AwaitReplay(t, former, newest)
	if err := newest.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, pgtest.Connect(t, newest), "INSERT INTO a (writer) VALUES ('new')")

	b := &bed{T: t, url: fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/postgres", former.Port(), newest.Port())}
	cfg := stream("a", "b")
	reading := b.tailOf(tail.Config{Stream: cfg, Positions: b.follow(cfg, follower.SlotNone)}, func(c *tail.Config) {
		c.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	})
	if batch := b.next(reading); len(batch.Rows) != 1 || batch.Rows[0].Instance != "new" {
		t.Errorf("read %+v", batch.Rows)
	}
}

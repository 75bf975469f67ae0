package follower_test

import (
	"log/slog"
	"strings"
	"testing"
)

// A stream at rest writes nothing down, so its connection may have been cut
// unseen when the follower stops: the exact position is kept all the same, and
// nobody is told of what does not matter.
func TestTheLastPositionOutlivesACutConnection(t *testing.T) {
	t.Parallel()
	b := newBed(t, keptSchema)
	var logged strings.Builder
	cfg := keptConfig(b.url)
	cfg.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	s, stop := b.run(cfg)
	b.following(s)
	id := b.insert(b.sql, "a")
	b.reach(s, id)
	// A slot is active while it is being made, too, and then for a moment nobody's.
	const reader = "SELECT pid FROM pg_stat_replication WHERE application_name = 'tidemark' AND state = 'streaming'"
	b.streaming()
	var before int
	b.ok(b.sql.QueryRow(t.Context(), reader).Scan(&before))
	b.until("the position is in the table", "SELECT position = $1 FROM tidemark_positions WHERE stream = 'events'", id)
	b.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tidemark' AND pid <> pg_backend_pid()")
	b.until("the slot is read again", "SELECT EXISTS ("+reader+" AND pid <> $1)", before)
	b.following(s)
	stop()
	b.until("it is the exact one", "SELECT position = $1 AND closed FROM tidemark_positions", id)
	if strings.Contains(logged.String(), "could not be kept") {
		t.Errorf("it complains:\n%s", logged.String())
	}
}

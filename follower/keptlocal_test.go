package follower_test

import (
	"testing"

	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// RULES 12: what is put into the published table waits for no standby: with one
// that is missing positions are followed, kept, and begun anew all the same.
func TestKeepingWaitsForNoStandby(t *testing.T) {
	t.Parallel()
	b := newBed(t, keptSchema)
	id := b.insert(b.sql, "a")
	b.exec("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
	b.exec("SELECT pg_reload_conf()")
	pgtest.AwaitCommitsWait(t, b.url)
	b.exec("SET synchronous_commit = local")
	s, stop := b.run(keptConfig(b.url))
	b.following(s)
	b.reach(s, id)
	b.until("it is enrolled, and kept", "SELECT position = $1 AND nonce <> '' FROM tidemark_positions", id)
	b.until("a move is kept", "SELECT position >= $1 FROM tidemark_positions", b.insert(b.sql, "a"))
	before := b.inTable("nonce")
	b.exec("DELETE FROM events; SELECT setval('events_id_seq', 1)")
	b.until("a new epoch is kept", "SELECT nonce <> $1 FROM tidemark_positions", before)
	b.following(s)
	stop()
}

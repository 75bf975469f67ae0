package follower_test

import (
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// RULES 12: what is put into the published table is on disk when somebody can
// see it, whatever the server says of commits: an epoch that was told does not
// become another one by a crash, and no position goes back for those who read
// it there.
func TestWhatIsKeptSurvivesACrash(t *testing.T) {
	t.Parallel()
	b := newBed(t, keptSchema,
		pgtest.Setting("synchronous_commit", "off"), pgtest.Setting("wal_writer_delay", "10s"),
		pgtest.Setting("wal_writer_flush_after", "1GB"), pgtest.Setting("bgwriter_delay", "10s"))
	b.exec("CHECKPOINT") // the schema is on disk
	cfg := keptConfig(b.url)
	cfg.Slot = follower.SlotConfig{Kind: follower.SlotTemporary}

	// No position is known while what was open before is, and so none written:
	// nothing but the enrolment has the epoch put on disk.
	b.insert(b.begin(), "open")
	_, stop := b.run(cfg)
	b.until("enrolled", "SELECT count(*) = 1 FROM tidemark_positions WHERE nonce <> ''")
	b.crashKeeps("nonce", stop)

	s, stop := b.run(cfg)
	b.following(s)
	for range 5 {
		b.reach(s, b.insert(b.sql, "a"))
	}
	b.until("kept", "SELECT position = $1 FROM tidemark_positions", s.CurrentToken())
	b.crashKeeps("position", stop)

	s, stop = b.run(cfg)
	b.following(s)
	before := b.inTable("nonce")
	open := b.begin()
	_, err := open.Exec(t.Context(), "DELETE FROM events; SELECT setval('events_id_seq', 1); SELECT nextval('events_id_seq')")
	b.ok(err)
	b.until("ids have started over", "SELECT nonce <> $1 FROM tidemark_positions", before)
	b.crashKeeps("nonce", stop)
}

// inTable is what a column of the published table says.
func (b *bed) inTable(column string) (text string) {
	b.t.Helper()
	b.ok(b.sql.QueryRow(b.t.Context(), "SELECT "+column+"::text FROM tidemark_positions WHERE stream = 'events'").Scan(&text))
	return text
}

// crashKeeps has the server crash, and the follower end, and makes sure that a
// column says afterwards what it said before.
func (b *bed) crashKeeps(column string, stop func()) {
	b.t.Helper()
	before := b.inTable(column)
	b.ok(b.cluster.Kill())
	stop()
	b.reconnect()
	var rows int
	b.ok(b.sql.QueryRow(b.t.Context(), "SELECT count(*) FROM tidemark_positions WHERE "+column+"::text = $1", before).Scan(&rows))
	if rows != 1 {
		b.t.Errorf("the crash has taken back that %s is %s", column, before)
	}
}

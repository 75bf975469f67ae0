package follower_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// decodingStandby is a standby that keeps what a slot on it needs; nil where
// this version's standbys do not decode.
func (b *bed) decodingStandby(cfg *follower.Config) *pgcluster.Cluster {
	standby := pgtest.Standby(b.t, b.cluster, "standby", pgtest.Setting("hot_standby_feedback", "on"))
	cfg.Slot = follower.SlotConfig{Standby: standby.URL("", "")}
	if b.cluster.Major() >= 16 {
		return standby
	}
	f, s := b.follow(*cfg)
	b.following(s) // from the fence
	b.await(s, "a reason to read no slot", func(follower.Status) bool { return f.Stats().Reconnects > 0 })
	b.reach(s, b.insert(b.sql, "a"))
	return nil
}

// The primary is spared the decoding, and no reader misses a row.
func TestNoReaderMissesARowThatAStandbyDecodes(t *testing.T) {
	b := newBed(t, proofSchema)
	cfg := proofConfig(b.url)
	standby := pgtest.Standby(t, b.cluster, "standby", pgtest.Setting("hot_standby_feedback", "on"))
	if b.cluster.Major() < 16 {
		t.Skip("standbys decode from PostgreSQL 16 on; what older ones say is tested elsewhere")
	}
	cfg.Slot = follower.SlotConfig{Standby: standby.URL("", "")}
	_, s := b.follow(cfg)
	b.following(s)
	conn := pgtest.Connect(t, standby)
	on := &bed{t: t, cluster: standby, url: cfg.Slot.Standby, sql: conn}
	on.until("the standby's slot is read", "SELECT count(*) = 1 FROM pg_replication_slots WHERE active AND slot_type = 'logical'")
	b.until("none on the primary", "SELECT count(*) = 0 FROM pg_replication_slots WHERE slot_type = 'logical'")
	r, missed, rows := b.proof(proofTime(t),
		func() (int64, error) { return s.CurrentToken(), nil },
		func(newest int64) { b.reach(s, newest) })
	if missed != 0 || r.backward != 0 || rows < 100 {
		t.Errorf("%d of %d rows missed, %d steps back", missed, rows, r.backward)
	}
	if st := s.Status(); st.LateRows != 0 || st.Rows == 0 {
		t.Errorf("%d rows came from the standby, %d late", st.Rows, st.LateRows)
	}
}

// A standby that is promoted while it is read goes on sending: its own rows, by
// transactions whose numbers mean others to the primary that lives on.
func TestRowsOfAPromotedStandbyDoNotCount(t *testing.T) {
	t.Parallel()
	b := newBed(t, events+`; CREATE TABLE unrelated (n int)`)
	cfg := eventsConfig(b.url)
	standby := b.decodingStandby(&cfg)
	if standby == nil {
		return
	}
	f, s := b.follow(cfg)
	b.following(s)
	there := &bed{t: t, cluster: standby, url: cfg.Slot.Standby, sql: pgtest.Connect(t, standby)}
	there.until("the standby's slot is read", "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming' AND application_name = 'tidemark'")
	last := b.insert(b.sql, "both")
	b.reach(s, last)
	b.await(s, "its row", func(st follower.Status) bool { return st.Rows == 1 })
	pgtest.AwaitReplay(t, b.cluster, standby)
	reconnects := f.Stats().Reconnects

	b.ok(standby.Promote(t.Context()))
	there.until("a primary", "SELECT NOT pg_is_in_recovery()")
	open := b.begin() // draws the next id, and stays open
	id := b.insert(open, "slow")
	for range 50 { // transactions with the numbers that the other server gives to its own
		b.exec("INSERT INTO unrelated VALUES (1)")
	}
	for i := range int64(20) {
		there.exec(fmt.Sprintf("INSERT INTO events (id, instance_name) OVERRIDING SYSTEM VALUE VALUES (%d, 'another history')", id+i))
	}
	b.await(s, "the end of the session", func(follower.Status) bool { return f.Stats().Reconnects > reconnects })
	if p := s.CurrentToken(); p >= id {
		t.Errorf("position %d covers id %d, which is open", p, id)
	}
	if st := s.Status(); st.Rows != 1 || len(st.Writers) > 1 {
		t.Errorf("rows of another history were taken: %d, writers %v", st.Rows, st.Writers)
	}
	b.ok(open.Commit(t.Context()))
	b.reach(s, id) // from the fence
}

func TestASlotOnAStandbyIsTemporary(t *testing.T) {
	t.Parallel()
	cfg := eventsConfig("postgres://127.0.0.1/app")
	cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark", Standby: "postgres://127.0.0.2/app"}
	if _, err := follower.New(cfg); err == nil || !strings.Contains(err.Error(), "temporary") {
		t.Errorf("a permanent slot on a standby: %v", err)
	}
}

package follower_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// registerHanging has a writer register whose commit waits for a standby: it is
// in the WAL and not visible. The channel is closed when it is.
func (b *bed) registerHanging(writer string, at int64) (done chan struct{}) {
	b.t.Helper()
	b.exec("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
	b.exec("SELECT pg_reload_conf()")
	conn := b.connect()
	pgtest.AwaitCommitsWait(b.t, b.url)
	done = make(chan struct{})
	go func() {
		defer close(done)
		_, err := conn.Exec(context.Background(), "INSERT INTO stream_positions VALUES ('events', $1, $2)", writer, at)
		b.check(err)
	}()
	b.until("the registration hangs", "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
	return done
}

// newcomerDraws: the registration has come through, the newcomer draws an id
// and keeps it open, and a, who is idle, announces it: whoever has not seen the
// newcomer takes it for done. The follower must have.
func (b *bed) newcomerDraws(s *follower.Stream, registered chan struct{}, check func(open int64)) {
	b.t.Helper()
	b.unhang()
	<-registered
	open := b.draw("events_stream_seq")
	b.announce("events", "a", open)
	b.await(s, "a's announcement", func(st follower.Status) bool { return st.Writers["a"] == open })
	b.await(s, "the newcomer", func(st follower.Status) bool { _, ok := st.Writers["newcomer"]; return ok })
	if p := s.CurrentToken(); p >= open {
		b.t.Errorf("position %d covers %d, which the newcomer has open", p, open)
	}
	check(open)
	b.row(open, "newcomer")
	b.reach(s, open)
	b.announce("events", "newcomer", open)
	if st := s.Status(); st.LateRows != 0 {
		b.t.Errorf("%d late rows", st.LateRows)
	}
}

// ten rows of a, all announced.
func (b *bed) ten() {
	b.t.Helper()
	b.announce("events", "a", 0)
	for range 10 {
		b.row(b.draw("events_stream_seq"), "a")
	}
	b.announce("events", "a", 10)
}

// RULES 20: a registration that hangs in its commit when the slot is skipped
// ahead is neither loaded nor decoded. A naive follower, which does all but ask
// who holds the lock of the positions table, does not know the newcomer ever.
func TestARegistrationThatHangsWhileTheSlotIsSkippedAhead(t *testing.T) {
	t.Parallel()
	b := newBed(t, reference)
	b.exec("SELECT pg_create_logical_replication_slot(name, 'pgoutput') FROM (VALUES ('tidemark'), ('naive')) AS v (name)")
	b.ten()
	registered := b.registerHanging("newcomer", 10)
	// The naive way: advance, load, and then what the slot sends.
	b.exec("SELECT pg_replication_slot_advance('naive', pg_current_wal_flush_lsn())")
	naive := b.loadNaively()
	cfg := referenceConfig(b.url)
	cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark"}
	_, s := b.follow(cfg)
	b.following(s)
	b.newcomerDraws(s, registered, func(open int64) {
		b.decodeNaively(naive, open)
		if _, knows := naive["newcomer"]; knows || naive["a"] < open {
			t.Errorf("the naive way knows %v: the scene shows nothing", naive)
		}
	})
}

func (b *bed) loadNaively() map[string]int64 {
	b.t.Helper()
	rows, err := b.sql.Query(b.t.Context(), "SELECT instance_name, stream_id FROM stream_positions WHERE stream_name = 'events'")
	b.ok(err)
	positions := make(map[string]int64)
	var writer string
	var at int64
	_, err = pgx.ForEachRow(rows, []any{&writer, &at}, func() error { positions[writer] = at; return nil })
	b.ok(err)
	return positions
}

// decodeNaively adds what the slot has sent: whose positions are in it.
func (b *bed) decodeNaively(positions map[string]int64, open int64) {
	b.t.Helper()
	rows, err := b.sql.Query(b.t.Context(), `SELECT data FROM pg_logical_slot_get_binary_changes('naive', NULL, NULL,
		'proto_version', '1', 'publication_names', 'tidemark_positions')`)
	b.ok(err)
	messages, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	b.ok(err)
	for _, m := range messages {
		switch {
		case m[0] != 'I' && m[0] != 'U':
		case bytes.Contains(m, []byte("newcomer")):
			positions["newcomer"] = open - 1
		default:
			positions["a"] = open
		}
	}
}

// RULES 20, RULES 21: the same while a slot is being made, which waits for open
// transactions, but not for those that begin late enough.
func TestARegistrationThatHangsWhileTheSlotIsMade(t *testing.T) {
	t.Parallel()
	b := newBed(t, reference+"; CREATE TABLE unrelated (n int)")
	b.ten()
	write := func() (tx pgx.Tx, xid string) {
		tx = b.begin()
		_, err := tx.Exec(t.Context(), "INSERT INTO unrelated VALUES (1)")
		b.ok(err)
		b.ok(tx.QueryRow(t.Context(), "SELECT pg_current_xact_id()::xid::text").Scan(&xid))
		return tx, xid
	}
	waitsFor := func(xid string) {
		b.until("the slot's creation waits", `SELECT count(*) > 0 FROM pg_locks
			WHERE locktype = 'transactionid' AND NOT granted AND transactionid = $1::xid`, xid)
	}
	first, xid := write()
	_, s := b.follow(referenceConfig(b.url))
	waitsFor(xid)
	second, xid := write()
	b.ok(first.Rollback(t.Context()))
	waitsFor(xid)
	registered := b.registerHanging("newcomer", 10)
	b.ok(second.Rollback(t.Context()))
	b.following(s)
	b.streaming()
	if known := b.loadNaively(); len(known) != 1 {
		t.Fatalf("the registration is visible, %v: the scene shows nothing", known)
	}
	b.newcomerDraws(s, registered, func(int64) {})
}

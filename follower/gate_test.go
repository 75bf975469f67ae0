package follower_test

import (
	"context"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// hang inserts a row whose commit waits for a synchronous standby that does
// not exist: its row is decoded and not visible. The channel is closed when
// the INSERT returns.
func (b *bed) hang() (id int64, done chan struct{}) {
	b.t.Helper()
	b.exec("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
	b.exec("SELECT pg_reload_conf()")
	conn := b.connect()
	pgtest.AwaitCommitsWait(b.t, b.url)
	done = make(chan struct{})
	go func() {
		defer close(done)
		if _, err := conn.Exec(context.Background(), "INSERT INTO events (instance_name) VALUES ('hangs')"); err != nil {
			b.t.Error(err)
		}
	}()
	b.until("an INSERT hangs", "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
	b.ok(b.sql.QueryRow(b.t.Context(), "SELECT last_value FROM events_id_seq").Scan(&id))
	return id, done
}

func (b *bed) unhang() {
	b.t.Helper()
	b.exec("ALTER SYSTEM RESET synchronous_standby_names")
	b.exec("SELECT pg_reload_conf()")
}

// DESIGN fact 1: a commit is decoded before it is visible.
func TestARowThatIsDecodedButInvisibleIsNotCovered(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	cfg := eventsConfig(b.url)
	cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark"}
	_, s := b.follow(cfg)
	b.following(s)
	before := b.insert(b.sql, "a")
	b.reach(s, before)
	b.streaming()
	id, done := b.hang()
	b.until("the walsender has sent the commit", `SELECT sent_lsn >= pg_current_wal_flush_lsn() FROM pg_stat_replication`)
	var visible int
	b.ok(b.sql.QueryRow(t.Context(), "SELECT count(*) FROM events WHERE id = $1", id).Scan(&visible))
	st := b.await(s, "the hanging INSERT is named", func(st follower.Status) bool { return len(st.HeldBy) == 1 })
	if visible != 0 || st.Position >= id {
		t.Fatalf("%d rows are visible with id %d, the position is %d", visible, id, st.Position)
	}
	// RULES 2: what has not passed the gate is not confirmed, so that whoever
	// takes the slot over is sent it again.
	var confirmed bool
	b.ok(b.sql.QueryRow(t.Context(), `SELECT confirmed_flush_lsn >= pg_current_wal_flush_lsn() FROM pg_replication_slots`).Scan(&confirmed))
	if confirmed {
		t.Error("the slot was told to forget a commit that is not visible")
	}
	b.unhang()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("the INSERT still hangs")
	}
	b.reach(s, id)
	// The fence may have been faster than the gate, which knows the writer.
	st = b.await(s, "its writer", func(st follower.Status) bool { return st.Writers["hangs"] == id })
	if st.LateRows != 0 {
		t.Fatalf("%d late rows", st.LateRows)
	}
	// When nothing is pending a quiet slot does not pin WAL, whoever writes it.
	b.exec("CREATE TABLE unrelated AS SELECT FROM generate_series(1, 1000)")
	b.until("the slot is confirmed to the end", `SELECT confirmed_flush_lsn >= pg_current_wal_flush_lsn() FROM pg_replication_slots`)
}

// RULES 1: with synchronous_standby_names = '*' every writer would wait for us,
// and we for them.
func TestNoWriterWaitsForTidemark(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	_, s := b.follow(eventsConfig(b.url))
	b.following(s)
	b.reach(s, b.insert(b.sql, "a"))
	b.streaming()
	writer := b.connect()
	b.exec("ALTER SYSTEM SET synchronous_standby_names = '*'")
	b.exec("SELECT pg_reload_conf()")
	b.until("the setting is in force", "SELECT setting = '*' FROM pg_settings WHERE name = 'synchronous_standby_names'")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ids := make(chan int64)
	go func() {
		defer close(ids)
		var id int64
		if err := writer.QueryRow(ctx, "INSERT INTO events (instance_name) VALUES ('x') RETURNING id").Scan(&id); err != nil {
			t.Errorf("the writer waits for Tidemark: %v", err)
			return
		}
		ids <- id
	}()
	// A healthy standby of anybody's would have released it; here the setting
	// is all there is, so it goes on when that is mended, and not because of us:
	// our walsender must be gone by then.
	b.until("Tidemark has left the slot", "SELECT count(*) = 0 FROM pg_stat_replication")
	st := s.Status()
	if st.State != follower.StateFollowing {
		t.Errorf("state %s (%s) while positions come from the fence", st.State, st.Reason)
	}
	b.unhang()
	id, ok := <-ids
	if !ok {
		return
	}
	b.reach(s, id)
	b.streaming()
}

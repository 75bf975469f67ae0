package follower_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// reconnect replaces the session that a crash has ended.
func (b *bed) reconnect() {
	b.t.Helper()
	b.ok(b.cluster.StartAgain(b.t.Context()))
	b.sql = b.connect()
}

// DESIGN fact 4: a rollback is not flushed, and an unflushed nextval can be
// handed out again after a crash, in the same epoch. No row may ever get an id
// below a position that was published.
func TestNoIDIsReusedBelowAPositionAfterACrash(t *testing.T) {
	t.Parallel()
	b := newBed(t, events,
		pgtest.Setting("wal_writer_delay", "10s"), pgtest.Setting("checkpoint_timeout", "1h"))
	_, s := b.follow(eventsConfig(b.url))
	b.following(s)
	epoch := s.Status().Epoch
	highest := int64(0)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for round := range 20 {
		var work sync.WaitGroup
		rctx, cancel := context.WithCancel(ctx)
		quiet := round%2 == 0 // else what others commit flushes everything
		for w := range 1 + rand.IntN(3) {
			if conn := b.connect(); !quiet {
				work.Go(func() { writeUntilCut(rctx, conn, w) })
			}
		}
		// 200 ids that nobody flushes.
		rolled, err := pgx.Connect(t.Context(), b.url)
		b.ok(err)
		_, err = rolled.Exec(t.Context(), "BEGIN; INSERT INTO events (instance_name) SELECT 'dead' FROM generate_series(1, 200); ROLLBACK")
		b.ok(err)
		if quiet { // as soon as the fence has seen them, and that nobody holds them
			var drawn int64
			b.ok(b.sql.QueryRow(t.Context(), "SELECT last_value FROM events_id_seq").Scan(&drawn))
			b.await(s, "the dead ids are seen", func(st follower.Status) bool { return st.Allocated >= drawn })
		} else {
			time.Sleep(time.Duration(rand.IntN(400)) * time.Millisecond) // some crashes come before the flush is forced
		}
		b.ok(b.cluster.Kill())
		_ = rolled.Close(context.Background()) // its server is dead
		highest = max(highest, s.CurrentToken())
		cancel()
		work.Wait()
		highest = max(highest, s.CurrentToken())
		b.reconnect()
		id := b.insert(b.sql, "after")
		if id <= highest {
			t.Fatalf("round %d: the first row after the crash got id %d, although the position was %d", round, id, highest)
		}
		b.reach(s, id)
	}
	st := s.Status()
	if st.Epoch != epoch {
		t.Errorf("epoch %s became %s: a crash restart keeps it", epoch, st.Epoch)
	}
	if st.LateRows != 0 {
		t.Errorf("%d late rows", st.LateRows)
	}
	t.Logf("20 crashes, highest position %d, newest row %d", highest, st.Position)
}

// writeUntilCut commits and rolls back at random, some of it asynchronously.
func writeUntilCut(ctx context.Context, conn *pgx.Conn, w int) {
	for ctx.Err() == nil {
		sql := fmt.Sprintf("BEGIN; SET LOCAL synchronous_commit = %s; INSERT INTO events (instance_name) VALUES ('w%d'); %s",
			[]string{"on", "off"}[rand.IntN(2)], w, []string{"COMMIT", "ROLLBACK"}[rand.IntN(2)])
		if _, err := conn.Exec(ctx, sql); err != nil {
			return // the server was killed
		}
		time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
	}
}

// A rolled-back tail on a quiet server: nobody flushes it, so we do. RULES 9.
func TestAQuietServerDoesNotKeepATailUnsettled(t *testing.T) {
	t.Parallel()
	b := newBed(t, events, pgtest.Setting("wal_writer_delay", "10s"))
	_, s := b.follow(eventsConfig(b.url))
	b.following(s)
	b.streaming()
	tx := b.begin()
	id := b.insert(tx, "dead")
	b.ok(tx.Rollback(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // far below wal_writer_delay
	defer cancel()
	if err := s.Wait(ctx, id); err != nil {
		t.Fatalf("the tail is not settled after 5 s: %+v", s.Status())
	}
}

func TestAServerThatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	_, s := b.follow(eventsConfig(b.url))
	b.following(s)
	id := b.insert(b.sql, "a")
	b.reach(s, id)
	b.ok(b.cluster.Stop(t.Context(), pgcluster.StopImmediate))
	st := b.await(s, "reconnecting", func(st follower.Status) bool { return st.State == follower.StateReconnecting })
	if st.Position != id || st.Reason == "" {
		t.Fatalf("position %d (was %d), reason %q", st.Position, id, st.Reason)
	}
	b.reconnect()
	b.following(s)
	b.reach(s, b.insert(b.sql, "a"))
}

// A prepared transaction holds its lock under another name after a crash.
func TestAPreparedTransactionSurvivesACrash(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	_, s := b.follow(eventsConfig(b.url))
	b.following(s)
	other := b.connect()
	pgtest.Exec(t, other, "BEGIN", "INSERT INTO events (instance_name) VALUES ('prepared')", "PREPARE TRANSACTION 'p'")
	held := s.CurrentToken()
	newest := b.insert(b.sql, "a")
	b.ok(b.cluster.Kill())
	b.reconnect()
	b.following(s)
	st := b.await(s, "the prepared transaction is named", func(st follower.Status) bool {
		return len(st.HeldBy) == 1 && st.HeldBy[0].GID != nil && *st.HeldBy[0].GID == "p"
	})
	if st.Position != held {
		t.Fatalf("position %d while the prepared id %d is open", st.Position, held+1)
	}
	b.exec("COMMIT PREPARED 'p'")
	b.reach(s, newest)
}

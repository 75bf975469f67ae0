package follower_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/logtest"
	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

const (
	// failoverSlots is the first major version that has them.
	failoverSlots = 17
	// copied is how long the server may take to copy a slot: its worker sleeps
	// up to 30 s between looks.
	copied = 90 * time.Second
)

// Older servers have no failover slots, and the follower says so at once. On
// the others the slot outlives its primary.
func TestFailoverSlot(t *testing.T) {
	t.Parallel()
	pgtest.EachMajor(t, func(t *testing.T, version pgtest.Option) {
		b := newBed(t, proofSchema, version)
		if b.cluster.Major() < failoverSlots {
			b.refusesFailover()
			return
		}
		b.slotFailsOver()
	})
}

func (b *bed) refusesFailover() {
	b.t.Helper()
	f, err := follower.New(b.failoverConfig(b.url, nil))
	b.ok(err)
	err = f.Run(b.t.Context())
	if err == nil || !strings.Contains(err.Error(), "slot.failover needs PostgreSQL 17") {
		b.t.Errorf("run with a failover slot: %v", err)
	}
}

func (b *bed) failoverConfig(url string, log *slog.Logger) follower.Config {
	cfg := proofConfig(url)
	cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark", Failover: true}
	cfg.Logger = log
	return cfg
}

// copyingStandby is a standby that copies failover slots, and that the primary
// lets receive everything before those slots tell of it.
func (b *bed) copyingStandby() *pgcluster.Cluster {
	b.t.Helper()
	b.exec("SELECT pg_create_physical_replication_slot('standby')")
	standby := pgtest.Standby(b.t, b.cluster, "standby",
		pgtest.Setting("primary_slot_name", "standby"), pgtest.Setting("hot_standby_feedback", "on"),
		pgtest.Setting("sync_replication_slots", "on"))
	b.ok(b.cluster.SetSettings(b.t.Context(), map[string]string{"synchronized_standby_slots": "standby"}))
	return standby
}

func (b *bed) slotFailsOver() {
	t := b.t
	standby := b.copyingStandby()
	var said logged
	_, s := b.follow(b.failoverConfig(
		fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/postgres", b.cluster.Port(), standby.Port()),
		slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	b.following(s)
	b.streaming()
	said.reset() // it made the slot, and has no reason to make or skip anything again

	before := b.readWhileWriting(s)
	b.standsAlone(s, standby)
	b.awaitCopy(standby)
	old := s.Epoch()
	b.ok(b.cluster.Kill())
	before.end()
	b.ok(standby.Promote(t.Context()))
	b.url = standby.URL("", "")
	b.sql = b.connect()
	b.await(s, "following in a new epoch", func(st follower.Status) bool {
		return st.State == follower.StateFollowing && st.Epoch != old
	})

	after := b.readWhileWriting(s)
	b.until("the copied slot is read", `SELECT active AND failover AND synced FROM pg_replication_slots WHERE slot_name = 'tidemark'`)
	for range 20 {
		var id int64
		b.ok(b.sql.QueryRow(t.Context(), "INSERT INTO a (instance_name) VALUES ('new') RETURNING id").Scan(&id))
		b.reach(s, id)
	}
	after.end()
	var newest int64
	b.ok(b.sql.QueryRow(t.Context(), "SELECT last_value FROM ids").Scan(&newest))
	b.reach(s, newest)
	b.ok(after.read(t.Context(), b.sql, after.position))
	missed, rows, err := after.missed(t.Context(), b.sql)
	b.ok(err)
	if st := s.Status(); missed != 0 || after.backward != 0 || st.LateRows != 0 {
		t.Errorf("%d of %d rows missed, %d steps back, %d late", missed, rows, after.backward, st.LateRows)
	}
	for _, words := range []string{"slot is missing", "skips"} {
		if said.holds(words) {
			t.Errorf("the copied slot was not read on from where it stood: the log says %q:\n%s", words, said.String())
		}
	}
	t.Logf("%d rows, %d reads before, %d after the promotion", rows, before.reads, after.reads)
}

// standsAlone: while the standby is away the slot tells of nothing, and the
// fence alone moves the position.
func (b *bed) standsAlone(s *follower.Stream, standby *pgcluster.Cluster) {
	b.t.Helper()
	b.ok(standby.Kill())
	var id int64
	b.ok(b.sql.QueryRow(b.t.Context(), "INSERT INTO a (instance_name) VALUES ('alone') RETURNING id").Scan(&id))
	b.reach(s, id)
	if st := s.Status(); st.Writers["alone"] != 0 || st.State != follower.StateFollowing {
		b.t.Errorf("without the standby: state %s, %s; a row that it lacks came from the slot: %t", st.State, st.Reason, st.Writers["alone"] != 0)
	}
	b.ok(standby.StartAgain(b.t.Context()))
	b.await(s, "the row comes with the standby", func(st follower.Status) bool { return st.Writers["alone"] == id })
}

// awaitCopy returns once the standby has a copy of the slot that a promotion
// keeps. The server makes one when the slot's consumer has passed what the
// standby still has, of which running transactions, written now and then, tell.
func (b *bed) awaitCopy(standby *pgcluster.Cluster) {
	b.t.Helper()
	conn := pgtest.Connect(b.t, standby)
	for end := time.Now().Add(copied); ; time.Sleep(50 * time.Millisecond) { // nobody tells of a copy
		b.exec("SELECT pg_log_standby_snapshot()")
		var kept bool
		err := conn.QueryRow(b.t.Context(), `SELECT count(*) > 0 FROM pg_replication_slots
			WHERE slot_name = 'tidemark' AND synced AND NOT temporary AND invalidation_reason IS NULL`).Scan(&kept)
		b.ok(err)
		if kept {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("the slot was not copied to the standby within %s", copied)
		}
	}
}

// pursuit is a reader that reads whatever the position covers, in one epoch,
// while a writer writes and rolls back.
type pursuit struct {
	reading
	stop     context.CancelFunc
	at       *pgx.Conn
	position func() (int64, error)
	working  sync.WaitGroup
}

var errAnotherEpoch = errors.New("another epoch")

func (b *bed) readWhileWriting(s *follower.Stream) *pursuit {
	b.t.Helper()
	epoch := s.Epoch()
	p := &pursuit{reading: reading{seen: make(map[int64]bool)}, at: b.connect()}
	p.position = func() (int64, error) {
		st := s.Status()
		if st.Epoch != epoch {
			return 0, errAnotherEpoch
		}
		return st.Position, nil
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	p.stop = cancel
	writer := b.connect()
	p.working.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			end := []string{"COMMIT", "COMMIT", "ROLLBACK"}[i%3]
			if _, err := writer.Exec(context.WithoutCancel(ctx), "BEGIN; INSERT INTO b (instance_name) VALUES ('w'); "+end); err != nil {
				return // the primary was killed
			}
		}
	})
	p.working.Go(func() {
		for ctx.Err() == nil {
			if p.read(context.WithoutCancel(ctx), p.at, p.position) != nil {
				return // the same
			}
		}
	})
	return p
}

func (p *pursuit) end() {
	p.stop()
	p.working.Wait()
}

// logged keeps a log.
type logged struct{ logtest.Buffer }

func (l *logged) reset() { l.Reset() }

func (l *logged) holds(words string) bool { return strings.Contains(l.String(), words) }

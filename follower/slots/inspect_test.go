package slots_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/slots"
	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what should come soon.
const patience = 30 * time.Second

// bed is a server and a session on it.
type bed struct {
	*testing.T
	cluster *pgcluster.Cluster
	sql     *pgx.Conn
	watch   *pgx.Conn
	history slots.History
}

func newBed(t *testing.T, options ...pgtest.Option) *bed {
	t.Helper()
	c := pgtest.Start(t, append(options, pgtest.Setting("fsync", "off"))...)
	b := &bed{T: t, cluster: c, sql: pgtest.Connect(t, c), watch: pgtest.Connect(t, c)}
	pgtest.Exec(t, b.sql, "CREATE TABLE filler (body text); ALTER TABLE filler ALTER body SET STORAGE PLAIN", "CHECKPOINT")
	return b
}

func (b *bed) exec(sql ...string) {
	b.Helper()
	pgtest.Exec(b.T, b.sql, sql...)
}

func (b *bed) slot(name string) {
	b.Helper()
	b.exec("SELECT pg_create_logical_replication_slot('" + name + "', 'test_decoding')")
}

// write writes some WAL, about kib kibibytes.
func (b *bed) write(kib int) {
	b.Helper()
	b.exec(fmt.Sprintf("INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, %d)", kib))
}

// look takes a sample, and returns the slot of that name.
func (b *bed) look(name string) slots.Slot {
	b.Helper()
	s, err := slots.Inspect(b.Context(), b.watch)
	if err != nil {
		b.Fatal(err)
	}
	for _, slot := range b.history.Add(time.Now(), s).Slots {
		if slot.Name == name {
			return slot
		}
	}
	b.Fatalf("no slot %q", name)
	return slots.Slot{}
}

// await looks until the slot is as wanted. There is no event to wait for: the
// server tells nobody.
func (b *bed) await(name, what string, is func(slots.Slot) bool) slots.Slot {
	b.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		s := b.look(name)
		if is(s) {
			return s
		}
		if time.Now().After(deadline) {
			b.Fatalf("not %s: %+v", what, s)
		}
	}
}

func (b *bed) awaitVerdict(name string, v slots.Verdict, inReason ...string) slots.Slot {
	b.Helper()
	s := b.await(name, string(v), func(s slots.Slot) bool { return s.Verdict == v })
	for _, part := range inReason {
		if !strings.Contains(s.Reason, part) {
			b.Errorf("reason %q, want %q in it", s.Reason, part)
		}
	}
	return s
}

// consumer reads a slot and confirms nothing unless it is told to.
type consumer struct {
	*pgconn.PgConn
	pid int32
}

func (b *bed) consume(slot, application string) *consumer {
	b.Helper()
	conn, err := pgconn.Connect(b.Context(), b.cluster.URL("", "")+"&replication=database&application_name="+application)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = conn.Close(ctx)
	})
	if err := pglogrepl.StartReplication(b.Context(), conn, slot, 0, pglogrepl.StartReplicationOptions{}); err != nil {
		b.Fatal(err)
	}
	return &consumer{conn, int32(conn.PID())}
}

func (b *bed) confirm(c *consumer) {
	b.Helper()
	var lsn string
	if err := b.sql.QueryRow(b.Context(), "SELECT pg_current_wal_flush_lsn()::text").Scan(&lsn); err != nil {
		b.Fatal(err)
	}
	at, err := pglogrepl.ParseLSN(lsn)
	if err != nil {
		b.Fatal(err)
	}
	if err := pglogrepl.SendStandbyStatusUpdate(b.Context(), c.PgConn, pglogrepl.StandbyStatusUpdate{WALWritePosition: at}); err != nil {
		b.Fatal(err)
	}
}

// holder finds one of whom held_by names.
func holder(s slots.Slot, is func(follower.Holder) bool) *follower.Holder {
	for _, h := range s.HeldBy {
		if is(h) {
			return &h
		}
	}
	return nil
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func TestFieldsAreTheServers(t *testing.T) {
	t.Parallel()
	pgtest.EachMajor(t, func(t *testing.T, version pgtest.Option) {
		b := newBed(t, version)
		b.slot("a")
		b.exec("SELECT pg_create_physical_replication_slot('physical')", "CREATE DATABASE other")
		other := pgtest.ConnectURL(t, b.cluster.URL("", "other"))
		pgtest.Exec(t, other, "SELECT pg_create_logical_replication_slot('b', 'pgoutput', true)")
		b.look("a")
		b.write(100)
		s := b.look("a")
		if s.Plugin != "test_decoding" || s.Database != "postgres" || s.Active || s.ActivePID != nil || s.Temporary {
			t.Errorf("slot %+v", s)
		}
		if value(s.WALStatus) != "reserved" || s.RestartLSN == nil || s.ConfirmedFlushLSN == nil || s.CatalogXmin == nil {
			t.Errorf("slot %+v", s)
		}
		if value(s.RetainedBytes) < 100_000 || value(s.ConfirmedLagBytes) < 100_000 || value(s.WALBytesPerSecond) <= 0 {
			t.Errorf("retained %v, lag %v, rate %v after 100 KiB", value(s.RetainedBytes), value(s.ConfirmedLagBytes), value(s.WALBytesPerSecond))
		}
		if s.SafeWALBytes != nil || s.SecondsToInvalidation != nil || s.InvalidationReason != nil {
			t.Errorf("without max_slot_wal_keep_size: %+v", s)
		}
		major := b.cluster.Major()
		for name, known := range map[string][2]bool{
			"inactive_since": {s.InactiveSince != nil, major >= 17}, "failover": {s.Failover != nil, major >= 17},
			"synced": {s.Synced != nil, major >= 17}, "conflicting": {s.Conflicting != nil, major >= 16},
		} {
			if known[0] != known[1] {
				t.Errorf("PostgreSQL %d: %s is known: %v", major, name, known[0])
			}
		}
		if o := b.look("b"); !o.Temporary || !o.Active || o.Database != "other" || value(o.ActivePID) != int32(other.PgConn().PID()) {
			t.Errorf("slot of another database: %+v", o)
		}
		all, err := slots.Inspect(t.Context(), b.watch)
		if err != nil || len(all.Slots) != 2 {
			t.Errorf("%d logical slots, error %v", len(all.Slots), err)
		}
	})
}

func TestVerdictsAreProduced(t *testing.T) {
	t.Parallel()
	pgtest.EachMajor(t, func(t *testing.T, version pgtest.Option) {
		b := newBed(t, version)
		b.slot("s")
		b.awaitVerdict("s", slots.VerdictOK, "nobody connected")

		b.history.Thresholds = slots.Thresholds{InactiveBytes: 1 << 20}
		b.write(1100)
		s := b.awaitVerdict("s", slots.VerdictInactive, "1.", "MiB", "pg_drop_replication_slot('s')")
		if h := holder(s, func(h follower.Holder) bool { return value(h.State) == slots.StateNoConsumer }); h == nil || h.Since == nil {
			t.Errorf("held by %+v", s.HeldBy)
		}
		b.history.Thresholds = slots.Thresholds{InactiveFor: 100 * time.Millisecond}
		b.awaitVerdict("s", slots.VerdictInactive, "nobody has been connected for")

		b.history.Thresholds = slots.Thresholds{LaggingBytes: 1 << 20}
		c := b.consume("s", "slow")
		b.await("s", "active", func(s slots.Slot) bool { return s.Active })
		b.awaitVerdict("s", slots.VerdictLagging, "1.", "MiB of WAL behind", "slow")

		b.history.Thresholds = slots.Thresholds{StalledFor: 200 * time.Millisecond}
		s = b.awaitVerdict("s", slots.VerdictStalled, "confirmed nothing", "slow", fmt.Sprint(c.pid))
		h := holder(s, func(h follower.Holder) bool { return value(h.State) == slots.StateNotConfirming })
		if h == nil || value(h.PID) != c.pid || value(h.ApplicationName) != "slow" || value(h.User) != "postgres" || h.Since == nil {
			t.Errorf("held by %+v", s.HeldBy)
		}

		b.history.Thresholds = slots.Thresholds{}
		b.confirm(c)
		b.awaitVerdict("s", slots.VerdictOK, "behind")
	})
}

func TestSlotIsLost(t *testing.T) {
	t.Parallel()
	pgtest.EachMajor(t, func(t *testing.T, version pgtest.Option) {
		b := newBed(t, version, pgtest.InitArgs("--wal-segsize=1"), pgtest.Setting("max_slot_wal_keep_size", "4MB"))
		b.slot("s")
		b.history.Thresholds = slots.Thresholds{AtRiskShare: 0.00001, AtRiskWithin: time.Nanosecond}
		b.look("s")
		b.write(2000)
		s := b.look("s")
		if left := value(s.SafeWALBytes); s.SecondsToInvalidation == nil || left <= 0 || left > 4<<20 || s.Verdict != slots.VerdictOK {
			t.Fatalf("with room left: %+v", s)
		}
		b.history.Thresholds = slots.Thresholds{AtRiskShare: 0.00001}
		b.awaitVerdict("s", slots.VerdictAtRisk, "more of WAL, in ", "/s", "max_slot_wal_keep_size = 4 MiB")
		b.history.Thresholds = slots.Thresholds{AtRiskShare: 0.9, AtRiskWithin: time.Nanosecond}
		b.awaitVerdict("s", slots.VerdictAtRisk, "start its consumer")

		b.write(6000)
		b.exec("SELECT pg_switch_wal()", "CHECKPOINT")
		s = b.awaitVerdict("s", slots.VerdictLost, "4 MiB", "pg_drop_replication_slot('s')")
		if s.SafeWALBytes != nil || s.SecondsToInvalidation != nil || len(s.HeldBy) != 0 || value(s.WALStatus) != "lost" {
			t.Errorf("lost: %+v", s)
		}
		if b.cluster.Major() >= 17 != (value(s.InvalidationReason) == "wal_removed") {
			t.Errorf("invalidation reason %v", s.InvalidationReason)
		}
	})
}

func TestTransactionsHold(t *testing.T) {
	t.Parallel()
	pgtest.EachMajor(t, func(t *testing.T, version pgtest.Option) {
		b := newBed(t, version)
		b.slot("s")
		c := b.consume("s", "reader")
		other := pgtest.ConnectURL(t, b.cluster.URL("", "")+"&application_name=hanging")
		pgtest.Exec(t, other, "BEGIN; INSERT INTO filler VALUES ('open')")
		b.exec("BEGIN; INSERT INTO filler VALUES ('prepared'); PREPARE TRANSACTION 'two \"phase\"'")
		s := b.await("s", "held by both", func(s slots.Slot) bool { return len(s.HeldBy) == 2 })
		pid := int32(other.PgConn().PID())
		if h := s.HeldBy[0]; value(h.PID) != pid || value(h.ApplicationName) != "hanging" ||
			value(h.User) != "postgres" || value(h.State) != "idle in transaction" || h.Since == nil || h.GID != nil {
			t.Errorf("held by %+v", h)
		}
		if h := s.HeldBy[1]; value(h.GID) != `two "phase"` || value(h.State) != "prepared" || h.PID != nil || h.Since == nil {
			t.Errorf("held by %+v", h)
		}

		b.history.Thresholds = slots.Thresholds{LaggingFor: time.Second, LaggingBytes: 1 << 20}
		b.write(1100)
		b.confirm(c)
		s = b.awaitVerdict("s", slots.VerdictLagging)
		for !strings.Contains(s.Reason, "end the transaction of pid "+fmt.Sprint(pid)+" (hanging)") {
			b.confirm(c) // what was written since counts as not confirmed
			s = b.awaitVerdict("s", slots.VerdictLagging)
		}
		pgtest.Exec(t, other, "ROLLBACK")
		b.await("s", "held by one", func(s slots.Slot) bool { return len(s.HeldBy) == 1 && s.HeldBy[0].GID != nil })
		b.exec(`ROLLBACK PREPARED 'two "phase"'`)
		b.await("s", "held by none", func(s slots.Slot) bool { return len(s.HeldBy) == 0 })
	})
}

func TestMissingSynchronousStandbyIsNamed(t *testing.T) {
	t.Parallel()
	b := newBed(t, pgtest.Setting("synchronous_standby_names", "nobody"), pgtest.Setting("synchronous_commit", "local"))
	b.slot("s")
	b.consume("s", "reader")
	hanging := pgtest.Connect(t, b.cluster)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = hanging.Exec(ctx, "SET synchronous_commit = on; INSERT INTO filler VALUES ('waits')") // until it is cancelled
	}()
	defer func() { cancel(); <-ended }()
	b.await("s", "held by who waits", func(s slots.Slot) bool {
		return holder(s, func(h follower.Holder) bool {
			return value(h.State) == slots.StateWaitsForStandby && value(h.PID) == int32(hanging.PgConn().PID())
		}) != nil
	})
}

// What a role may not see is null, and never an error.
func TestPlainRole(t *testing.T) {
	t.Parallel()
	pgtest.EachMajor(t, func(t *testing.T, version pgtest.Option) {
		b := newBed(t, version)
		b.exec("CREATE ROLE plain LOGIN")
		b.slot("s")
		b.consume("s", "reader")
		pgtest.Exec(t, pgtest.ConnectURL(t, b.cluster.URL("", "")+"&application_name=hanging"), "BEGIN; INSERT INTO filler VALUES ('open')")
		b.watch = pgtest.ConnectURL(t, b.cluster.URL("plain", ""))
		s := b.await("s", "held", func(s slots.Slot) bool { return len(s.HeldBy) == 1 })
		if h := s.HeldBy[0]; h.PID == nil || value(h.ApplicationName) != "hanging" || h.State != nil || h.Since != nil {
			t.Errorf("held by %+v", h)
		}
		if s.Verdict != slots.VerdictOK || value(s.RetainedBytes) == 0 {
			t.Errorf("slot %+v", s)
		}
	})
}

func TestFailoverSlotIsShown(t *testing.T) {
	t.Parallel()
	pgtest.EachMajor(t, func(t *testing.T, version pgtest.Option) {
		b := newBed(t, version)
		if b.cluster.Major() < 17 {
			b.slot("s")
			if s := b.look("s"); s.Failover != nil {
				t.Errorf("failover %v", *s.Failover)
			}
			return
		}
		b.exec("SELECT pg_create_logical_replication_slot('s', 'pgoutput', false, false, true)")
		if s := b.look("s"); !value(s.Failover) || s.Synced == nil || *s.Synced {
			t.Errorf("failover %v, synced %v", s.Failover, s.Synced)
		}
	})
}

package follower_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower"
)

const keptSchema = events + keptTable

const keptTable = `;
CREATE TABLE tidemark_positions (stream text PRIMARY KEY, position bigint NOT NULL, epoch text NOT NULL, lsn pg_lsn NOT NULL,
	moved_at timestamptz NOT NULL, sequence_oid oid, sequence_filenode oid, system_identifier text, timeline integer,
	nonce text, closed boolean)`

func keptConfig(url string) follower.Config {
	cfg := eventsConfig(url)
	cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark"}
	cfg.Published = follower.PublishedConfig{Table: "public.tidemark_positions", Notify: "moves"}
	return cfg
}

// run runs a follower until stop is called.
func (b *bed) run(cfg follower.Config) (s *follower.Stream, stop func()) {
	b.t.Helper()
	f, err := follower.New(cfg)
	b.ok(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	b.t.Cleanup(cancel)
	return f.Streams()[0], func() {
		cancel()
		b.ok(<-ended)
	}
}

func TestPublishedPositionsAreKept(t *testing.T) {
	t.Parallel()
	b := newBed(t, keptSchema)
	listening := b.listen()
	s, stop := b.run(keptConfig(b.url))
	b.following(s)
	id := b.insert(b.sql, "a")
	b.reach(s, id)
	b.until("the position is in the table", "SELECT position = $1 AND epoch = $2 AND NOT closed FROM tidemark_positions WHERE stream = 'events'", id, s.Epoch())
	b.notified(listening, s, id)
	stop()
	b.until("it is the exact one", "SELECT position = $1 AND closed FROM tidemark_positions", id)
}

// What is written into another table, or one of an older version, is lost: check
// says so before.
func TestCheckLooksAtTheColumnsOfTheTable(t *testing.T) {
	t.Parallel()
	b := newBed(t, keptSchema)
	warning := func(table string) string {
		cfg := keptConfig(b.url)
		cfg.Published.Table = table
		f, err := follower.New(cfg)
		b.ok(err)
		findings, err := f.Check(t.Context())
		b.ok(err)
		for _, found := range findings {
			if found.Name == "published table "+table {
				return found.Detail
			}
		}
		t.Fatalf("check does not look at table %s", table)
		return ""
	}
	if got := warning("tidemark_positions"); got != "" {
		t.Errorf("a good table: %s", got)
	}
	if got := warning("events"); !strings.Contains(got, "no column stream") {
		t.Errorf("a stream's table: %q", got)
	}
	_, err := b.sql.Exec(t.Context(), "ALTER TABLE tidemark_positions DROP closed, DROP nonce")
	b.ok(err)
	if got := warning("tidemark_positions"); !strings.Contains(got, "no column nonce") {
		t.Errorf("a table of an older version: %q", got)
	}
}

// A channel needs no table.
func TestMovesAreNotifiedWithoutATable(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	listening := b.listen()
	cfg := eventsConfig(b.url)
	cfg.Published.Notify = "moves"
	s, _ := b.run(cfg)
	b.following(s)
	for range 2 {
		b.notified(listening, s, b.insert(b.sql, "a"))
	}
	// A lost connection is made anew.
	done, err := b.sql.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'tidemark'`)
	b.ok(err)
	if done.RowsAffected() == 0 {
		t.Fatal("no session was ended: this test proves nothing")
	}
	b.notified(listening, s, b.insert(b.sql, "a"))
}

// listen opens a session that listens for moves.
func (b *bed) listen() *pgx.Conn {
	b.t.Helper()
	listening := b.connect()
	_, err := listening.Exec(b.t.Context(), "LISTEN moves")
	b.ok(err)
	return listening
}

// notified waits until the move to id is told.
func (b *bed) notified(listening *pgx.Conn, s *follower.Stream, id int64) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 20*time.Second)
	defer cancel()
	var told struct {
		Stream, Epoch string
		Position      int64
	}
	for told.Position != id {
		n, err := listening.WaitForNotification(ctx)
		b.ok(err)
		b.ok(json.Unmarshal([]byte(n.Payload), &told))
	}
	if told.Stream != "events" || told.Epoch != s.Epoch() {
		b.t.Errorf("notified of %+v", told)
	}
}

// After an orderly stop even an old open transaction cannot delay the position;
// after a crash it can for two seconds.
func TestARestartDoesNotWaitForOldTransactions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		crash           string
		atLeast, within time.Duration
	}{
		"orderly": {"SELECT 1", 0, 1500 * time.Millisecond},
		"crash":   {"UPDATE tidemark_positions SET closed = false", 1900 * time.Millisecond, 8 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, keptSchema)
			s, stop := b.run(keptConfig(b.url))
			b.following(s)
			covered := b.insert(b.sql, "a")
			b.reach(s, covered)
			old := b.begin()
			b.insert(old, "old")
			epoch := s.Epoch()
			stop()
			b.exec(c.crash)
			began := time.Now()
			s, stop = b.run(keptConfig(b.url))
			st := b.await(s, "a position", func(st follower.Status) bool { return st.Known })
			took := time.Since(began)
			if st.Position != covered || st.Epoch != epoch {
				t.Errorf("position %d in epoch %s, want %d in %s", st.Position, st.Epoch, covered, epoch)
			}
			if took < c.atLeast || took > c.within {
				t.Errorf("it came after %s, want %s to %s", took, c.atLeast, c.within)
			}
			newest := b.insert(b.sql, "a")
			b.ok(old.Rollback(t.Context()))
			b.reach(s, newest)
			stop()
		})
	}
}

// RULES 12: a kept position is void over ids that have started over meanwhile,
// also where so many were drawn since that the sequence stands above it.
func TestAKeptPositionIsVoidWhenIDsStartedOver(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"TRUNCATE RESTART IDENTITY": `TRUNCATE events RESTART IDENTITY;
			INSERT INTO events (instance_name) SELECT 'new' FROM generate_series(1, 50)`,
		"setval back": "DELETE FROM events; SELECT setval('events_id_seq', 2)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, keptSchema)
			s, stop := b.run(keptConfig(b.url))
			b.following(s)
			for range 10 {
				b.reach(s, b.insert(b.sql, "a"))
			}
			epoch := s.Epoch()
			stop()
			b.exec(sql)
			open := b.begin()
			first := b.insert(open, "open")
			s, stop = b.run(keptConfig(b.url))
			st := b.await(s, "another epoch", func(st follower.Status) bool { return s.Epoch() != "" && s.Epoch() != epoch })
			time.Sleep(2500 * time.Millisecond) // the kept position would be served by now
			if st = s.Status(); st.Known && st.Position >= first {
				t.Errorf("position %d while %d is open", st.Position, first)
			}
			b.ok(open.Commit(t.Context()))
			b.reach(s, first)
			stop()
		})
	}
}

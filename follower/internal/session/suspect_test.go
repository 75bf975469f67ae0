package session_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower/internal/server"
	"github.com/tidemark-pg/tidemark/follower/internal/session"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// RULES 1: a session looks again, each time a commit stays invisible, whether
// it is what the commit waits for. The first time somebody else was.
func TestASessionLooksAgainWhetherWritersWaitForIt(t *testing.T) {
	t.Parallel()
	c, sql := prepared(t)
	url := c.URL("", "")
	until := func(what, question string, args ...any) {
		t.Helper()
		for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
			var yes bool
			if err := sql.QueryRow(t.Context(), question, args...).Scan(&yes); err != nil || yes {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: not within %s", what, patience)
			}
		}
	}
	standbyNames := func(names string) {
		t.Helper()
		if err := c.SetSettings(t.Context(), map[string]string{"synchronous_standby_names": names}); err != nil {
			t.Fatal(err)
		}
	}
	// write inserts a row, whose commit waits, and returns once it does.
	write := func() (through chan error) {
		t.Helper()
		writer := pgtest.ConnectURL(t, url)
		through = make(chan error, 1)
		go func() {
			_, err := writer.Exec(context.Background(), "INSERT INTO events DEFAULT VALUES")
			through <- err
		}()
		until("a commit waits", "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE 'INSERT%'")
		return through
	}
	release := func(through chan error) {
		t.Helper()
		standbyNames("")
		if err := <-through; err != nil {
			t.Fatal(err)
		}
	}

	ended := begin(t, url)
	until("the slot is read", "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'")
	standbyNames("nobody")
	pgtest.AwaitCommitsWait(t, url)
	through := write()
	var now time.Time
	if err := sql.QueryRow(t.Context(), "SELECT clock_timestamp()").Scan(&now); err != nil {
		t.Fatal(err)
	}
	until("the session looks", `SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'tidemark'
		AND query LIKE '%sync_state%' AND query_start > $1`, now)
	release(through)

	standbyNames("*")
	through = write()
	select {
	case err := <-ended:
		var waited *session.SynchronousError
		if !errors.As(err, &waited) {
			t.Errorf("the session ended: %v", err)
		}
	case <-time.After(patience):
		t.Error("a writer waits for the session, which goes on")
	}
	release(through)
}

// RULES 1 and 9: what wakes writers is WAL that is flushed, several times, and
// waits for no standby itself.
func TestReleaseWaitsForNobody(t *testing.T) {
	t.Parallel()
	c, sql := prepared(t)
	url := c.URL("", "")
	if err := c.SetSettings(t.Context(), map[string]string{"synchronous_standby_names": "nobody"}); err != nil {
		t.Fatal(err)
	}
	pgtest.AwaitCommitsWait(t, url)
	const messages = `SELECT count(*) FROM pg_logical_slot_get_binary_changes('tidemark', NULL, NULL,
		'proto_version', '1', 'publication_names', 'tidemark', 'messages', 'true') WHERE get_byte(data, 0) = ascii('M')`
	var n int
	if err := sql.QueryRow(t.Context(), messages).Scan(&n); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	began := time.Now()
	if err := session.Release(ctx, pgtest.ConnectURL(t, url)); err != nil {
		t.Fatalf("it waits for a standby: %v", err)
	}
	took := time.Since(began)
	if err := sql.QueryRow(t.Context(), messages).Scan(&n); err != nil { // of what is on disk
		t.Fatal(err)
	}
	if n != 5 || took < 400*time.Millisecond {
		t.Errorf("%d messages in %s, want 5, 100 ms apart", n, took)
	}
}

// begin begins a session on the slot of the server behind url, which goes on
// until the test ends. Its own name tells it nothing: only what the server says
// of its walsender does.
func begin(t *testing.T, url string) (ended chan error) {
	t.Helper()
	dialer, err := server.NewDialer(url, "tidemark")
	if err != nil {
		t.Fatal(err)
	}
	conn, identity, err := dialer.SQL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close(conn)
	var events uint32
	if err := conn.QueryRow(t.Context(), "SELECT 'events'::regclass::oid").Scan(&events); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended = make(chan error, 1)
	over := make(chan struct{})
	go func() {
		defer close(over)
		ended <- session.Run(ctx, session.Config{
			Dialer: dialer, Identity: identity, Slot: session.Slot{Name: "tidemark"},
			Publications: []string{"tidemark"},
			Routes:       session.Routes{events: {{TableName: "events", IDColumn: "id"}}},
			Log:          slog.New(slog.DiscardHandler), Receiver: &told{},
		})
	}()
	t.Cleanup(func() { cancel(); <-over })
	return ended
}

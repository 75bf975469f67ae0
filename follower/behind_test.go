package follower

import (
	"context"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// A standby that is down for long makes the slot wait, on disk, and not us.
func TestTheSlotWaitsForAStandbyThatIsFarBehind(t *testing.T) {
	t.Parallel()
	primary := pgtest.Start(t)
	standby := pgtest.Standby(t, primary, "standby")
	conn, replay := pgtest.Connect(t, primary), pgtest.Connect(t, standby)
	pgtest.Exec(t, conn, `CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
		CREATE PUBLICATION tidemark FOR TABLE events (id) WITH (publish = 'insert')`)
	f, err := New(Config{
		Database: primary.URL("", ""), Readers: []string{standby.URL("", "")},
		Streams: []StreamConfig{{Name: "events", Tables: []TableConfig{{Name: "events", IDColumn: "id"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.readers.mu.most = 50
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	s, _ := f.Stream("events")
	reached := func(id int64) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if err := s.Wait(ctx, id); err != nil {
			t.Fatalf("position %d does not reach %d: %v, %+v", s.CurrentToken(), id, err, s.Status())
		}
	}
	reads := func(yes bool) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) { // pg_replication_slots has no events
			var active bool
			if err := conn.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE application_name = 'tidemark' AND state = 'streaming')").Scan(&active); err != nil {
				t.Fatal(err)
			}
			if active == yes {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("the slot is read: %t, want %t", active, yes)
			}
		}
	}
	reads(true)
	pgtest.Exec(t, conn, "INSERT INTO events DEFAULT VALUES")
	reached(1)
	pgtest.Exec(t, replay, "SELECT pg_wal_replay_pause()")
	for range 100 {
		pgtest.Exec(t, conn, "INSERT INTO events DEFAULT VALUES")
	}
	reads(false)
	if p := s.CurrentToken(); p != 1 {
		t.Errorf("position %d, which the standby does not show", p)
	}
	if st := s.Status(); st.State != StateCatchingUp || st.Reason == "" {
		t.Errorf("%s: %q", st.State, st.Reason)
	}
	pgtest.Exec(t, replay, "SELECT pg_wal_replay_resume()")
	reached(101)
	reads(true)
}

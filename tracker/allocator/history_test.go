package allocator

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// RULES 11 and 19: the primary is lost, and an asynchronous standby promoted
// that has not got everything. What is known of the old server's ids is not
// true on the new one, where the same ids are drawn again: no allocator may
// announce it there, ask there what became of its transactions, or go on
// handing out ids; and each must say so by itself.
func TestFailoverToAStandbyThatWasBehind(t *testing.T) {
	t.Parallel()
	s := server(t)
	standby := pgtest.Standby(t, s.cluster, "standby")
	s.pool = s.newPoolOn(fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/postgres?sslmode=disable&target_session_attrs=read-write",
		s.cluster.Port(), standby.Port()))
	announcing, within, idle := s.open(s.patient("announcing")), s.open(s.patient("within")), s.open(s.config("idle"))
	c := s.config("reader", "announcing", "within", "idle")
	c.RefreshInterval = 50 * time.Millisecond
	all := []*Allocator{announcing, within, idle, s.open(c)}
	s.write(announcing)
	s.await("announced", func() bool { return s.stored("announcing") == 1 })
	pgtest.AwaitReplay(t, s.cluster, standby)
	if err := standby.SetSettings(t.Context(), map[string]string{"primary_conninfo": ""}); err != nil {
		t.Fatal(err)
	}
	s.await("the standby receives nothing", func() bool { return s.number("SELECT count(*) FROM pg_stat_replication") == 0 })
	// The standby is cut off: what it had received it would replay. Nothing of
	// what follows is there: ids beyond the 32 that nextval
	// logs ahead, transaction ids beyond any that the standby knows.
	s.exec("SELECT nextval('foobar_seq') FROM generate_series(1, 100)")
	s.exec("INSERT INTO foobar SELECT -g, 'x' FROM generate_series(1, 2) g")
	tx, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }() // else the pool's end waits for it
	if _, err := within.NextTx(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	// The announcement of what is done waits for a lock, and dies with the server.
	mustExec(t, s.connect(), "BEGIN; LOCK TABLE stream_positions IN SHARE MODE")
	lost := s.write(announcing)
	s.await("the announcement is under way", func() bool {
		return s.number("SELECT count(*) FROM pg_locks WHERE relation = 'stream_positions'::regclass AND NOT granted") >= 1
	})
	told := make(chan error, len(all))
	for _, a := range all {
		go func() {
			err := a.Wait(t.Context(), lost+1000)
			told <- fmt.Errorf("%s: %w", a.cfg.Instance, err)
		}()
	}
	if err := s.cluster.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	waiting, limit := len(all), time.After(patience)
	for waiting > 0 { // nobody asks them for anything
		select {
		case err := <-told:
			waiting--
			if !errors.Is(err, ErrHistory) {
				t.Errorf("a waiter is told: %v", err)
			}
		case <-limit:
			t.Fatalf("%d of %d allocators do not notice that the server is another one", waiting, len(all))
		}
	}
	if _, err := announcing.Next(t.Context()); !errors.Is(err, ErrHistory) {
		t.Errorf("next: %v", err)
	}
	s.cluster = standby
	s.conn = s.connect()
	if at := s.number("SELECT last_value FROM foobar_seq"); at >= lost {
		t.Fatalf("the sequence is at %d, beyond the lost id %d: the test shows nothing", at, lost)
	}
	if at := s.stored("announcing"); at != 1 {
		t.Errorf("position %d is stored on the new primary, want 1: ids up to %d are drawn anew", at, lost)
	}
	again := s.open(s.config("announcing"))
	if id := s.write(again); id >= lost {
		t.Errorf("drew %d after %d was lost: the test shows nothing", id, lost)
	}
}

// patient is the configuration of an instance that looks at the sequence only
// when somebody asks it for ids.
func (s *site) patient(instance string) Config {
	c := s.config(instance)
	c.IdleInterval = time.Hour
	return c
}

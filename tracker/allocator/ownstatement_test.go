package allocator

import (
	"testing"
	"time"
)

// killAndStart is a crash of the server.
func (s *site) killAndStart() {
	s.t.Helper()
	if err := s.cluster.Kill(); err != nil {
		s.t.Fatal(err)
	}
	if err := s.cluster.StartAgain(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	s.conn = s.connect()
}

// flushAll puts all WAL on disk that is written so far.
func (s *site) flushAll() {
	s.t.Helper()
	s.exec("BEGIN; SET LOCAL synchronous_commit = local; SELECT pg_logical_emit_message(true, '', ''); COMMIT")
}

// RULES 15: a registration is on disk before the first id is drawn under it,
// whatever role and database say: else a crash would take it back and leave the
// id, which is one of the 32 that the sequence had logged before, with a process
// that survives and writes it when nobody counts with it any more.
func TestRegistrationSurvivesACrash(t *testing.T) {
	t.Parallel()
	s := server(t, unhurried()...)
	s.exec("ALTER ROLE postgres SET synchronous_commit = off")
	s.exec("ALTER DATABASE postgres SET synchronous_commit = off")
	s.exec("SELECT nextval('foobar_seq')")
	a := s.open(s.patient("a"))
	s.exec("DELETE FROM stream_positions")
	s.flushAll()
	id := s.next(a).IDs()[0]
	s.killAndStart()
	if at := s.stored("a"); at != id-1 {
		t.Errorf("after the crash %d is registered, want %d: id %d was drawn", at, id-1, id)
	}
	if next := s.number("SELECT nextval('foobar_seq')"); next <= id {
		t.Errorf("the id was lost with the crash, %d is next: the test shows nothing", next)
	}
}

// RULES 15 and 17: how far the WAL is counts for a value of the sequence only
// when it is read after it, in another statement. A reading that asks both at
// once, and then waits for the sequence, would take ids for drawn on disk whose
// nextval is not: after a crash they are somebody else's.
func TestAReadingIsNotOlderThanItsWAL(t *testing.T) {
	t.Parallel()
	s := server(t, unhurried()...)
	a := s.open(s.patient("a"))
	holding := s.connect()
	mustExec(t, holding, "CREATE ROLE other SUPERUSER; BEGIN; ALTER SEQUENCE foobar_seq OWNER TO other")
	s.flushAll()
	a.Advance("b", 100) // has it look how far the sequence is
	s.await("the reading waits for the sequence", func() bool {
		return s.number("SELECT count(*) FROM pg_locks WHERE relation = 'foobar_seq'::regclass AND NOT granted") == 1
	})
	mustExec(t, holding, "SELECT nextval('foobar_seq') FROM generate_series(1, 40); COMMIT")
	drawn := s.number("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8")
	began := time.Now()
	s.await("read", func() bool { return a.CurrentTokenForWriter("a") == 40 })
	if at := s.number("SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::int8"); at < drawn {
		t.Errorf("40 counts as drawn after %v, at WAL %d, on disk is %d", time.Since(began), drawn, at)
	}
}

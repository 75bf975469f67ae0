package allocator

import "testing"

// RULES 17: a row that was committed asynchronously is visible before it is on
// disk, and so may be the nextval that drew its id: after a crash somebody else
// would have the id. What is read counts only once a crash cannot take it back.
func TestRowsThatAreReadAreOnDisk(t *testing.T) {
	t.Parallel()
	s := server(t, unhurried()...)
	a := s.open(s.config("reader", "b")) // it writes nothing, and so has nothing flushed
	const unflushed = "SELECT (pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn())::int8"
	for id := int64(1); id <= 2; id++ {
		s.exec("INSERT INTO foobar VALUES (nextval('foobar_seq'), 'b')")
		if id == 2 {
			s.exec("INSERT INTO stream_positions VALUES ('test_stream', 'b', 2)")
		}
		written := s.number("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8")
		if s.number(unflushed) == 0 {
			t.Fatal("all is on disk already: the test shows nothing")
		}
		if err := a.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if at := s.number("SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::int8"); at < written {
			t.Errorf("position %d came from what is not on disk: WAL %d, on disk %d", a.CurrentToken(), written, at)
		}
		if got := a.CurrentToken(); got != id {
			t.Errorf("position %d after row %d: nothing was read", got, id)
		}
	}
}

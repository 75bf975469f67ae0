package allocator

import (
	"maps"
	"testing"
	"time"
)

// The rows beyond the minimum are loaded from all tables, page by page.
func TestLoadOfManyRows(t *testing.T) {
	t.Parallel()
	s := server(t)
	const n = 2*pageRows + 1234
	s.exec("INSERT INTO foobar SELECT g, 'b' FROM generate_series(1, $1::int) g WHERE g % 2 = 0", n)
	s.exec("INSERT INTO foobar2 SELECT g, 'b' FROM generate_series(1, $1::int) g WHERE g % 2 = 1 OR g = $1", n)
	s.exec("DELETE FROM foobar WHERE stream_id = 60000")
	s.exec("SELECT setval('foobar_seq', $1)", n)
	s.exec("INSERT INTO stream_positions VALUES ('test_stream', 'b', 7)")
	c := s.config("r", "b")
	c.Tables = append(c.Tables, Table{Name: "foobar2", IDColumn: "stream_id"})
	a := s.open(c)
	if got := a.CurrentToken(); got != 59999 {
		t.Errorf("position %d, want 59999, before the gap", got)
	}
	a.Advance("b", 60000)
	if got := a.CurrentToken(); got != n {
		t.Errorf("position %d, want %d: rows beyond the gap are known", got, n)
	}
	if got := a.Positions(); !maps.Equal(got, map[string]int64{"b": 60000}) {
		t.Errorf("positions %v", got)
	}
}

// A listed writer without a position: the run from 0, and what lies beyond the
// others' minimum.
func TestLoadWithAWriterThatNeverRegistered(t *testing.T) {
	t.Parallel()
	s := server(t)
	s.exec("INSERT INTO foobar SELECT g, 'b' FROM generate_series(1, 100) g WHERE g NOT IN (21, 50)")
	s.exec("SELECT setval('foobar_seq', 100)")
	s.exec("INSERT INTO stream_positions VALUES ('test_stream', 'b', 60)")
	a := s.open(s.config("r", "b", "c"))
	if got := a.CurrentToken(); got != 20 {
		t.Errorf("position %d, want 20", got)
	}
	a.Advance("c", 60)
	if got := a.CurrentToken(); got != 100 {
		t.Errorf("position %d, want 100", got)
	}
}

// Without a positions table a writer's position is its newest row, nothing is
// registered, and a deleted writer's rows still count.
func TestWithoutPositionsTable(t *testing.T) {
	t.Parallel()
	s := server(t)
	s.exec("DROP TABLE stream_positions")
	s.exec("INSERT INTO foobar VALUES (1, 'b'), (2, 'c'), (3, 'c'), (6, 'b')")
	s.exec("SELECT setval('foobar_seq', 6)")
	c := s.config("b", "b", "c")
	c.PositionsTable = NoPositionsTable
	a := s.open(c)
	if got := a.Positions(); !maps.Equal(got, map[string]int64{"b": 6, "c": 3}) || a.CurrentToken() != 3 {
		t.Errorf("positions %v, position %d", got, a.CurrentToken())
	}
	if id := s.write(a); id != 7 {
		t.Errorf("drew %d", id)
	}
	a.Advance("c", 6)
	s.await("all done", func() bool { return a.CurrentToken() == 7 })
}

// Where nothing else tells of the others the table is read again and again, and
// a writer whose row is deleted no longer holds the position.
func TestRefreshByItself(t *testing.T) {
	t.Parallel()
	s := server(t)
	c := s.config("a")
	c.RefreshInterval = 20 * time.Millisecond
	a := s.open(c)
	s.exec("INSERT INTO stream_positions VALUES ('test_stream', 'old', 0)")
	s.exec("SELECT nextval('foobar_seq') FROM generate_series(1, 3)")
	s.await("own position is stored, and came back", func() bool { return a.Positions()["old"] == 0 && s.stored("a") == 3 })
	s.stays("held by old", func() bool { return a.CurrentToken() == 0 })
	s.exec("DELETE FROM stream_positions WHERE instance_name = 'old'")
	s.await("released", func() bool { return a.CurrentToken() == 3 })
	b := s.open(s.config("b"))
	id := s.write(b)
	s.await("another writer's row is found", func() bool { return a.CurrentToken() == id })
}

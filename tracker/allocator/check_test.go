package allocator

import (
	"errors"
	"strings"
	"sync"
	"testing"
)

// The sequence is behind the rows: it is moved up, and the stored position is
// compared with where it is then.
func TestSequenceBehindItsRowsIsRepaired(t *testing.T) {
	t.Parallel()
	for _, distance := range []int64{26, 3 * burnable} {
		s := server(t)
		s.exec("INSERT INTO foobar VALUES ($1, 'a')", distance)
		s.exec("INSERT INTO stream_positions VALUES ('test_stream', 'a', $1)", distance)
		other := s.connect() // holds the repairs until all have seen that one is needed
		mustExec(t, other, `BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('tidemark sequence repair ' || 'foobar_seq'::regclass::oid, 0))`)
		var all sync.WaitGroup
		for _, name := range []string{"a", "b", "c"} { // at once: none sets it back
			all.Go(func() {
				a, err := Open(t.Context(), s.pool, s.config(name))
				if err != nil {
					t.Error(err)
					return
				}
				s.closeAtEnd(a)
				h, err := a.Next(t.Context())
				if err != nil || h.IDs()[0] <= distance {
					t.Errorf("drew %v, %v behind row %d", h, err, distance)
				}
			})
		}
		s.await("all are about to repair", func() bool {
			return s.number("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == 3
		})
		mustExec(t, other, "COMMIT")
		all.Wait()
		if n := s.number("SELECT last_value FROM foobar_seq"); n != distance+3 {
			t.Errorf("last value %d after three draws behind row %d", n, distance)
		}
		if !s.log.has("moving it up") {
			t.Error("repaired in silence")
		}
	}
}

func TestStoredPositionAheadOfTheSequence(t *testing.T) {
	t.Parallel()
	s := server(t)
	s.exec("INSERT INTO stream_positions VALUES ('test_stream', 'gone', 40)")
	_, err := Open(t.Context(), s.pool, s.config("a"))
	var behind *BehindError
	if !errors.As(err, &behind) || behind.Stored != 40 || behind.Last != 0 {
		t.Fatalf("open: %v", err)
	}
	for _, want := range []string{"foobar_seq", "test_stream", "setval"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not say %q: %v", want, err)
		}
	}
	s.exec("SELECT setval('foobar_seq', 40)") // as the error says
	s.open(s.config("a"))
}

func TestUnfitSequencesAreRefused(t *testing.T) {
	t.Parallel()
	s := server(t)
	for sql, want := range map[string]string{
		"CREATE SEQUENCE bad CACHE 10":       "CACHE 10",
		"CREATE SEQUENCE bad INCREMENT 2":    "INCREMENT 2",
		"CREATE SEQUENCE bad CYCLE":          "CYCLE",
		"CREATE UNLOGGED SEQUENCE bad":       "unlogged",
		"CREATE TABLE bad (last_value int8)": "not a sequence",
	} {
		s.exec(sql)
		c := s.config("a")
		c.Sequence = "bad"
		_, err := Open(t.Context(), s.pool, c)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", sql, err)
		}
		s.exec(strings.Join(append([]string{"DROP"}, strings.Fields(strings.ReplaceAll(sql, "UNLOGGED ", ""))[1:3]...), " "))
	}
}

func TestConfigurationProblemsAreNamed(t *testing.T) {
	t.Parallel()
	err := Config{Stream: "s", Tables: []Table{{Name: "t"}}, IdleInterval: -1}.validate()
	for _, want := range []string{"no instance", "no sequence", "table 1", "negative"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named: %v", want, err)
		}
	}
}

package allocator

import "testing"

// A registration of an earlier life can outlive its process, blocked, and come
// first after all: then its row is what is stored, not what was to be.
func TestARegistrationThatAnotherOneOvertook(t *testing.T) {
	t.Parallel()
	s := server(t)
	s.exec("SELECT nextval('foobar_seq') FROM generate_series(1, 5)")
	earlier := s.connect()
	tx, err := earlier.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "INSERT INTO stream_positions VALUES ('test_stream', 'b', 2)"); err != nil {
		t.Fatal(err)
	}
	opened := make(chan error, 1)
	go func() {
		a, err := Open(t.Context(), s.pool, s.config("b"))
		if err == nil {
			s.closeAtEnd(a)
		}
		opened <- err
	}()
	s.await("the registration waits", func() bool {
		return s.number("SELECT count(*) FROM pg_locks WHERE NOT granted") == 1
	})
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	s.await("announced", func() bool { return s.stored("b") == 5 })
}

package allocator

import (
	"errors"
	"testing"
)

// loseLease ends the lease's session, and keeps whoever wants it waiting until
// what is returned is called.
func (s *site) loseLease(a *Allocator) (goOn func()) {
	<-a.lease.turn
	a.lease.drop()
	return func() { a.lease.turn <- struct{}{} }
}

// stores counts the announcements that were sent.
func (a *Allocator) stores() int64 {
	a.book.mu.Lock()
	defer a.book.mu.Unlock()
	return a.book.stores
}

// An announcement goes to the positions table beside the lease, and may come
// when the lease is lost and the row was removed. It must not bring the row
// back: under it the instance would go on with ids that everybody has passed
// meanwhile. RULES 18.
func TestAnnouncementDoesNotBringARemovedRowBack(t *testing.T) {
	t.Parallel()
	s := server(t)
	a := s.open(s.patient("a"))
	ends := s.next(a)
	s.next(a) // stays open
	s.write(a)
	s.next(a) // tells that those before are on disk
	goOn := s.loseLease(a)
	s.open(s.config("b", "b"))
	gone := func() bool { return s.number("SELECT count(*) FROM stream_positions WHERE instance_name = 'a'") == 0 }
	s.await("removed", gone)
	before := a.stores()
	_ = ends.Finish(t.Context(), errors.New("rolled back"))
	s.await("an announcement is made", func() bool { return a.stores() > before })
	s.stays("the row is gone", gone)
	goOn()
	s.await("stopped", func() bool { _, err := a.Next(t.Context()); return errors.Is(err, ErrUsurped) })
	if !gone() {
		t.Error("the row came back")
	}
}

// A row that was removed by hand from under a writer that has nothing open, and
// registered again by itself, is nobody else's.
func TestOwnRegistrationIsNoUsurper(t *testing.T) {
	t.Parallel()
	s := server(t)
	a := s.open(s.patient("a"))
	s.exec("SELECT nextval('foobar_seq') FROM generate_series(1, 40)")
	s.exec("DELETE FROM stream_positions")
	open := s.next(a)
	if at := s.stored("a"); at != 40 {
		t.Fatalf("registered with %d: the test shows nothing", at)
	}
	s.loseLease(a)()
	h, err := a.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = open.Finish(t.Context(), nil), h.Finish(t.Context(), nil)
	s.await("announced", func() bool { return s.stored("a") == 42 })
}

// An idle writer whose row was removed by hand registers again by itself, though
// its position does not move, and below what it has open.
func TestIdleWriterRegistersAgain(t *testing.T) {
	t.Parallel()
	s := server(t)
	a := s.open(s.config("a"))
	s.exec("DELETE FROM stream_positions")
	s.await("registered, with nothing to say", func() bool { return s.stored("a") == 0 })
	s.exec("DELETE FROM stream_positions")
	s.exec("SELECT nextval('foobar_seq') FROM generate_series(1, 40)")
	s.await("registered and announced", func() bool { return s.stored("a") == 40 })
	ended, open := s.next(a), s.next(a)
	s.exec("DELETE FROM stream_positions")
	_ = ended.Finish(t.Context(), nil)
	s.await("registered below what is open", func() bool { return s.stored("a") == open.IDs()[0]-1 })
}

// A look at the sequence that others' progress asks for, and that fails, is made
// again: the next idle one may be far away.
func TestLookThatFailedIsMadeAgain(t *testing.T) {
	t.Parallel()
	s := server(t)
	a := s.open(s.patient("a"))
	s.exec("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
	s.exec("SELECT nextval('foobar_seq') FROM generate_series(1, 5)")
	a.Advance("b", 5)
	s.await("looked", func() bool { return a.CurrentTokenForWriter("a") == 5 })
	if !s.log.has("background work failed") {
		t.Error("nothing failed: the test shows nothing")
	}
}

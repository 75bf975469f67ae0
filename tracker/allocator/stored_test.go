package allocator

import (
	"testing"
	"time"
)

// The stored position never regresses, though a statement comes late that
// stores a lower one: the process may have lost its name long ago.
func TestStoredPositionNeverGoesBack(t *testing.T) {
	t.Parallel()
	for _, descending := range []bool{false, true} {
		s := server(t)
		c := s.config("a")
		c.IdleInterval, c.Descending = time.Hour, descending
		a := s.open(c)
		further := c.outward(50)
		s.exec("UPDATE stream_positions SET stream_id = $1", further)
		if err := s.next(a).Finish(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if err := a.Close(t.Context()); err != nil { // what is done is announced by then
			t.Fatal(err)
		}
		if a.stores() == 0 {
			t.Error("nothing was announced: the test shows nothing")
		}
		if got := s.stored("a"); got != further {
			t.Errorf("stored %d after %d", got, further)
		}
	}
}

// Unless it is told otherwise, an idle writer looks each second how far the
// others have drawn.
func TestIdleWriterAnnouncesWithinASecond(t *testing.T) {
	t.Parallel()
	s := server(t)
	c := s.config("a")
	c.IdleInterval = 0 // the default
	s.open(c)
	s.exec("SELECT nextval('foobar_seq') FROM generate_series(1, 40)") // somebody else
	drawn := time.Now()
	s.await("announced", func() bool { return s.stored("a") == 40 })
	if took := time.Since(drawn); took > 5*time.Second { // a second, on a machine that has much to do
		t.Errorf("announced after %v", took)
	}
}

package allocator

import (
	"errors"
	"testing"
	"time"
)

// RULES 4: a sequence that is restarted, or dropped and made again, is another
// one, whatever it has reached by the time that somebody looks. What was known of
// the former's ids says nothing of the ids that are drawn now.
func TestSequenceThatStartsOverStopsTheAllocator(t *testing.T) {
	t.Parallel()
	s := server(t)
	restart := map[string]string{
		"truncate": "TRUNCATE foobar RESTART IDENTITY",
		"create":   "DROP SEQUENCE foobar_seq; CREATE SEQUENCE foobar_seq OWNED BY foobar.stream_id",
	}
	looks := map[string]func(*Allocator) error{
		"draw":    func(a *Allocator) error { _, err := a.Next(t.Context()); return err },
		"refresh": func(a *Allocator) error { return a.Refresh(t.Context()) },
		"idle":    func(a *Allocator) error { a.Advance("other", 100); return a.failed() },
	}
	for how, sql := range restart {
		for look, asks := range looks {
			if how == "create" && look == "draw" {
				continue // it draws from the one that is gone, which the server refuses
			}
			t.Run(how+", "+look, func(t *testing.T) {
				mustExec(t, s.conn, "TRUNCATE foobar, stream_positions; DROP SEQUENCE foobar_seq; CREATE SEQUENCE foobar_seq OWNED BY foobar.stream_id")
				c := s.config("a", "a")
				c.IdleInterval = time.Hour
				a := s.open(c)
				for range 5 {
					s.write(a)
				}
				s.await("five are done", func() bool { return a.CurrentToken() == 5 })
				mustExec(t, s.conn, sql)
				mustExec(t, s.conn, "SELECT nextval('foobar_seq') FROM generate_series(1, 7)") // somebody else's, open
				s.await("stopped", func() bool { return errors.Is(asks(a), ErrWentBack) })
				if p := a.CurrentToken(); p != 5 {
					t.Errorf("position %d: 6 and 7 of the new sequence are open", p)
				}
				if err := a.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

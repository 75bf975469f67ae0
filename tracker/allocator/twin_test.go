package allocator

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// playTwin is a process that is stopped with an id in its hand. It writes a row,
// draws an id, says it, and waits for a line; then it writes the id's row, as if
// nothing had happened, and says whether it could; and asks for further ids, and
// says what it gets, until its allocator has stopped.
func playTwin(ctx context.Context, pool *pgxpool.Pool, a *Allocator) error {
	in := bufio.NewReader(os.Stdin)
	bound := os.Getenv(roleVariable) == "bound twin"
	insert := func(h *Handle) error {
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			if bound {
				if err := h.Bind(ctx, tx); err != nil {
					return err
				}
			}
			_, err := tx.Exec(ctx, "INSERT INTO foobar VALUES ($1, 'a')", h.IDs()[0])
			return err
		})
		return errors.Join(err, ignoring(h.Finish(ctx, err)))
	}
	for n := range 2 {
		h, err := a.Next(ctx)
		if err != nil {
			return err
		}
		if n == 1 {
			fmt.Println(h.IDs()[0])
			if _, err := in.ReadString('\n'); err != nil {
				return err
			}
		}
		err = insert(h)
		if n == 1 {
			fmt.Println(err == nil)
		}
	}
	for {
		var held *HeldError
		h, err := a.Next(ctx)
		switch {
		case err == nil:
			fmt.Println("drew", h.IDs()[0])
		case errors.As(err, &held):
			fmt.Println("held")
		case errors.Is(err, ErrUsurped):
			fmt.Println("usurped")
			return nil
		default:
			time.Sleep(10 * time.Millisecond) // the session has just been lost
			continue
		}
		if _, err := in.ReadString('\n'); err != nil {
			return err
		}
	}
}

// ignoring leaves out that the allocator has stopped: Next says so.
func ignoring(err error) error {
	if errors.Is(err, ErrUsurped) {
		return nil
	}
	return err
}

// RULES 18: two processes under one name, the first of which is stopped for so
// long that it loses its lease, and goes on when the second is at work. Nothing
// that it does then may announce an id that is open in the second, or draw one
// below what the second has announced; and with Bind the row that it was about
// to write does not come, below a position that has passed it. Without Bind it
// comes: that is what Bind is for, and shows that the scene is the right one.
func TestStoppedTwin(t *testing.T) {
	t.Parallel()
	for role, comes := range map[string]bool{"bound twin": false, "twin": true} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			s := server(t)
			first := s.companion(role)
			late := first.number()
			first.signal(syscall.SIGSTOP)
			s.exec("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")

			second := s.open(s.config("a", "a"))
			passed := s.write(second)
			s.await("the second passes what the first holds", func() bool { return s.stored("a") >= passed && passed > late })
			open := s.next(second)
			id := open.IDs()[0]
			first.signal(syscall.SIGCONT)
			first.tell()
			if wrote := first.hear(); wrote != fmt.Sprint(comes) {
				t.Errorf("the first could write %d below position %d: %s, want %v", late, passed, wrote, comes)
			}
			if n := s.number("SELECT count(*) FROM foobar WHERE stream_id = $1", late) == 1; n != comes {
				t.Errorf("row %d below position %d: %v", late, passed, n)
			}
			for range 2 {
				if got := first.hear(); got != "held" {
					t.Fatalf("the first has asked for an id: %s", got)
				}
				s.stays("the second's open id", func() bool { return s.stored("a") < id && second.CurrentToken() < id })
				first.tell()
			}
			if got := first.hear(); got != "held" {
				t.Fatalf("the first has asked for an id: %s", got)
			}
			_ = open.Finish(t.Context(), nil)
			s.await("announced", func() bool { return s.stored("a") >= id })
			if err := second.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			// The name is free: but another has used it, and has passed it by.
			first.tell()
			if got := first.hear(); got != "usurped" {
				t.Errorf("the first takes the name again: %s", got)
			}
		})
	}
}

// playBetween draws two ids, of which the first is never written, commits the
// second, says both, and is killed before it has said that it is done.
func playBetween(ctx context.Context, pool *pgxpool.Pool, a *Allocator) error {
	h, err := a.NextN(ctx, 2)
	if err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, "INSERT INTO foobar VALUES ($1, 'a')", h.IDs()[1]); err != nil {
		return err
	}
	fmt.Println(h.IDs()[0])
	fmt.Println(h.IDs()[1])
	select {}
}

// A process is killed between the commit of a row and the announcement of its
// id. Nothing passes the ids that it held before its name has been taken again:
// to everybody else the lower one may still be written. Then all is passed.
func TestCrashBetweenCommitAndAnnouncement(t *testing.T) {
	t.Parallel()
	s := server(t)
	c := s.config("reader", "a", "b")
	c.RefreshInterval = 20 * time.Millisecond
	reader, b := s.open(c), s.open(s.config("b", "a", "b"))
	first := s.companion("between")
	dead, committed := first.number(), first.number()
	later := s.write(b)
	s.await("b announces all", func() bool { return s.stored("b") >= later })
	covered := func() bool { return reader.CurrentToken() >= dead || b.CurrentToken() >= dead }
	s.stays("open", func() bool { return !covered() && s.stored("a") < dead })
	first.kill()
	s.stays("open after the process has died", func() bool { return !covered() && s.stored("a") < dead })
	if committed <= dead || s.number("SELECT count(*) FROM foobar WHERE stream_id = $1", committed) != 1 {
		t.Fatalf("row %d was not committed: the test shows nothing", committed)
	}
	a := s.open(s.config("a", "a", "b"))
	s.await("passed after the restart", func() bool {
		return reader.CurrentToken() >= later && a.CurrentToken() >= later && s.stored("a") >= later
	})
}

// A writer that has nothing to write is killed and started again, while others
// write: when it is there it does not hold them back, and it needs no id for it.
// While it is gone it does: nobody knows that it was idle.
func TestRestartOfAnIdleWriter(t *testing.T) {
	t.Parallel()
	s := server(t)
	c := s.config("reader")
	c.RefreshInterval = 20 * time.Millisecond
	reader, b := s.open(c), s.open(s.config("b"))
	for range 3 {
		idle := s.companion("hold")
		idle.hear()
		last := s.write(b)
		s.await("passed beside the idle one", func() bool { return reader.CurrentToken() >= last })
		idle.kill()
		gap := s.next(b)
		last = s.write(b)
		_ = gap.Finish(t.Context(), errors.New("rolled back"))
		s.await("b has announced", func() bool { return s.stored("b") >= last })
		s.stays("held by who is gone", func() bool { return reader.CurrentToken() < gap.IDs()[0] })
		drawn := s.number("SELECT last_value FROM foobar_seq")
		again := s.companion("hold")
		again.hear()
		s.await("passed after the restart", func() bool { return reader.CurrentToken() >= last })
		if n := s.number("SELECT last_value FROM foobar_seq"); n != drawn {
			t.Errorf("the restart drew %d ids", n-drawn)
		}
		again.kill()
	}
}

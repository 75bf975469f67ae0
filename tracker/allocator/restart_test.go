package allocator

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
)

// RULES 18: two processes must not share a name.
func TestSecondProcessIsRefusedAndTheHolderNamed(t *testing.T) {
	t.Parallel()
	s := server(t)
	holding := s.companion("hold")
	holding.hear()
	_, err := Open(t.Context(), s.pool, s.config("a"))
	var held *HeldError
	if !errors.As(err, &held) || held.PID == 0 || held.Application != "twin" {
		t.Fatalf("second process: %v", err)
	}
	if !strings.Contains(err.Error(), strconv.Itoa(int(held.PID))) {
		t.Errorf("error does not name the holder: %v", err)
	}
	holding.kill()
	s.open(s.config("a")) // the name is free again
}

// RULES 18: a backend blocked in an INSERT outlives its client; the restarted
// writer must not announce past the row that is still to come.
func TestBackendOutlivesItsClient(t *testing.T) {
	t.Parallel()
	for _, writers := range [][]string{nil, {"a"}} {
		s := server(t)
		blocker := s.connect()
		mustExec(t, blocker, "BEGIN; LOCK TABLE foobar IN SHARE MODE")
		writing := s.companion("insert")
		id := writing.number()
		s.await("the insert is blocked", func() bool {
			return s.number("SELECT count(*) FROM pg_locks WHERE relation = 'foobar'::regclass AND NOT granted") == 1
		})
		writing.kill()
		a := s.open(s.config("a", writers...))
		later := s.write2(a) // ids are handed out meanwhile
		s.stays("nothing is announced past the open id", func() bool {
			return s.stored("a") < id && a.CurrentToken() < id && a.CurrentTokenForWriter("a") < id
		})
		mustExec(t, blocker, "COMMIT")
		s.await("announced once the zombie has ended", func() bool { return s.stored("a") >= later })
		if n := s.number("SELECT count(*) FROM foobar WHERE stream_id = $1", id); n != 1 {
			t.Errorf("%d rows under %d: the insert was not let through, the test shows nothing", n, id)
		}
	}
}

// RULES 18: the row of a listed writer was taken away as well, by hand or by a
// process of the reference that has another list. The writer counts as 0 then,
// and nobody has passed what its backend is about to write: neither must its new
// row.
func TestBackendOutlivesItsClientAndItsRow(t *testing.T) {
	t.Parallel()
	s := server(t)
	blocker := s.connect()
	mustExec(t, blocker, "BEGIN; LOCK TABLE foobar IN SHARE MODE")
	writing := s.companion("insert")
	id := writing.number()
	s.await("the insert is blocked", func() bool {
		return s.number("SELECT count(*) FROM pg_locks WHERE relation = 'foobar'::regclass AND NOT granted") == 1
	})
	writing.kill()
	s.exec("DELETE FROM stream_positions")
	a := s.open(s.config("a", "a"))
	later := s.write2(a)
	s.stays("nothing is announced past the open id", func() bool {
		return s.stored("a") < id && a.CurrentToken() < id && a.CurrentTokenForWriter("a") < id
	})
	mustExec(t, blocker, "COMMIT")
	s.await("announced once the zombie has ended", func() bool { return s.stored("a") >= later && a.CurrentToken() >= later })
	if n := s.number("SELECT count(*) FROM foobar WHERE stream_id = $1", id); n != 1 {
		t.Errorf("%d rows under %d: the insert was not let through, the test shows nothing", n, id)
	}
}

// write2 draws an id and ends it without a row: the table may be locked.
func (s *site) write2(a *Allocator) int64 {
	s.t.Helper()
	h := s.next(a)
	if err := h.Finish(s.t.Context(), nil); err != nil {
		s.t.Fatal(err)
	}
	return h.IDs()[0]
}

// RULES 18: a prepared transaction outlives everything.
func TestPreparedTransactionOfAnEarlierLife(t *testing.T) {
	t.Parallel()
	s := server(t)
	a := s.open(s.config("a"))
	s.write(a)
	h := s.next(a)
	id := h.IDs()[0]
	mustExec(t, s.connect(), "BEGIN; INSERT INTO foobar VALUES ("+strconv.FormatInt(id, 10)+", 'a'); PREPARE TRANSACTION 'p'")
	s.crash(a)
	b := s.open(s.config("a"))
	below := func() bool { return s.stored("a") < id && b.CurrentToken() < id }
	s.stays("not past the prepared row", below)
	if err := s.cluster.Kill(); err != nil { // the transaction goes by another name afterwards
		t.Fatal(err)
	}
	if err := s.cluster.StartAgain(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.conn = s.connect()
	s.await("the lease is taken again", func() bool {
		return s.number("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 1
	})
	s.stays("not past the prepared row after a crash", below)
	s.exec("COMMIT PREPARED 'p'")
	s.await("announced", func() bool { return s.stored("a") >= id })
}

// RULES 18: with Bound only those matter that hold the sequence's lock.
func TestBoundStartWaitsForTheSequencesHoldersOnly(t *testing.T) {
	t.Parallel()
	s := server(t)
	c := s.config("a")
	c.Bound = true
	a := s.open(c)
	first := s.next(a)
	mustExec(t, s.connect(), "BEGIN; SELECT pg_current_xact_id()") // a bystander
	tx, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }() // else the pool's end waits for it
	if err := first.Bind(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	id := first.IDs()[0]
	s.crash(a)
	b := s.open(c)
	s.stays("not past the bound id", func() bool { return s.stored("a") < id && b.CurrentToken() < id })
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.await("announced beside the bystander", func() bool { return s.stored("a") >= id })
}

// The same without Bound waits for the bystander too: else the test above
// would show nothing.
func TestUnboundStartWaitsForEveryone(t *testing.T) {
	t.Parallel()
	s := server(t)
	a := s.open(s.config("a"))
	id := s.next(a).IDs()[0]
	s.crash(a)
	bystander := s.connect()
	mustExec(t, bystander, "BEGIN; SELECT 1")
	b := s.open(s.config("a"))
	s.stays("held", func() bool { return s.stored("a") < id && b.CurrentToken() < id })
	mustExec(t, bystander, "COMMIT")
	s.await("released", func() bool { return s.stored("a") >= id })
}

// The lease's session is lost: no id without it, and it is taken again.
func TestLostLeaseIsTakenAgain(t *testing.T) {
	t.Parallel()
	s := server(t)
	a := s.open(s.config("a", "a"))
	h := s.next(a)
	holder := s.number("SELECT pid FROM pg_locks WHERE locktype = 'advisory'")
	s.exec("SELECT pg_terminate_backend($1)", int32(holder))
	s.await("taken again", func() bool {
		return s.number("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid <> $1", int32(holder)) == 1
	})
	tx, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Bind(t.Context(), tx); err == nil {
		t.Error("bound an id whose lease was lost: another process may have passed it")
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	later := s.write(a)
	s.stays("the open id still counts", func() bool { return s.stored("a") < h.IDs()[0] && a.CurrentToken() < h.IDs()[0] })
	_ = h.Finish(t.Context(), nil)
	s.await("all announced", func() bool { return s.stored("a") >= later && a.CurrentToken() >= later })
}

// Another process had the name while the lease was lost, and passed what is
// open here: that must not go unsaid, whether this one had ever announced
// anything or not.
func TestUsurpedNameStopsTheAllocator(t *testing.T) {
	t.Parallel()
	for name, announced := range map[string]bool{"announced": true, "new": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := server(t)
			a := s.open(s.config("a", "a"))
			if announced {
				id := s.write(a)
				s.await("announced", func() bool { return s.stored("a") >= id })
			}
			s.next(a) // drawn, and no transaction in sight
			<-a.lease.turn
			a.lease.drop()
			b, err := Open(t.Context(), s.pool, s.config("a", "a"))
			if err != nil {
				t.Fatal(err)
			}
			later := s.write(b)
			s.await("announced by the other", func() bool { return s.stored("a") >= later })
			if err := b.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			a.lease.turn <- struct{}{}
			s.await("stopped", func() bool { _, err := a.Next(t.Context()); return errors.Is(err, ErrUsurped) })
		})
	}
}

// The row was removed while the lease was lost, as a listed writer does with
// the names that its configuration no longer has: it waits for open
// transactions, and of ids that have none yet it cannot know. Followers have
// passed them. Whoever holds none may come back.
func TestRowRemovedWhileTheLeaseWasLost(t *testing.T) {
	t.Parallel()
	for name, holds := range map[string]bool{"an id is open": true, "nothing is open": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := server(t)
			a := s.open(s.config("a"))
			s.write(a)
			if holds {
				s.next(a)
			}
			<-a.lease.turn
			a.lease.drop()
			b := s.open(s.config("b", "b"))
			s.await("removed", func() bool { return s.number("SELECT count(*) FROM stream_positions WHERE instance_name = 'a'") == 0 })
			later := s.write(b)
			a.lease.turn <- struct{}{}
			if holds {
				s.await("stopped", func() bool { _, err := a.Next(t.Context()); return errors.Is(err, ErrUsurped) })
				return
			}
			if id := s.write(a); id <= later {
				t.Errorf("drew %d after %d", id, later)
			}
		})
	}
}

// Without a positions table nobody announces anything under the name, and a
// lease that was lost is taken again however far others have got meanwhile.
func TestLostLeaseWithoutPositionsTable(t *testing.T) {
	t.Parallel()
	s := server(t)
	s.exec("DROP TABLE stream_positions")
	s.exec("SELECT nextval('foobar_seq')")
	c := s.config("a", "a", "b")
	c.PositionsTable = NoPositionsTable
	a := s.open(c)
	s.next(a) // stays open
	<-a.lease.turn
	a.lease.drop()
	s.exec("SELECT nextval('foobar_seq') FROM generate_series(1, 5)")
	a.lease.turn <- struct{}{}
	if id := s.write(a); id != 8 {
		t.Errorf("drew %d", id)
	}
}

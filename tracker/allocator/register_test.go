package allocator

import (
	"context"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/tracker"
)

// RULES 15: the row is there before the first id is drawn, its value lies below
// every id of the instance, and it is no done id.
func TestRegistrationComesBeforeTheFirstDraw(t *testing.T) {
	t.Parallel()
	s := server(t)
	b := s.next(s.open(s.config("b"))) // open, and somebody else's: id 1
	s.await("b is registered", func() bool { return s.stored("b") == 0 })
	a := s.open(s.config("a"))
	if got := s.stored("a"); got != 1 {
		t.Fatalf("registered with %d, want the last value 1", got)
	}
	// The registered value is b's open id: hole H2.
	s.stays("b's open id is not done", func() bool { return a.CurrentToken() == 0 })
	_ = b.Finish(t.Context(), nil)
}

// RULES 15: without its row an instance gets no id; it registers again first,
// and below what it has open.
func TestDrawWithoutARowRegistersAgain(t *testing.T) {
	t.Parallel()
	s := server(t)
	c := s.config("a")
	c.IdleInterval = time.Hour
	a := s.open(c)
	open := s.next(a).IDs()[0]
	s.exec("SELECT nextval('foobar_seq')")
	s.exec("DELETE FROM stream_positions")
	id := s.next(a).IDs()[0]
	if got := s.stored("a"); got < 0 || got >= open {
		t.Errorf("stored %d with %d and %d open", got, open, id)
	}
}

// RULES 16: an idle writer's own position must not count before it has come
// back, because a writer may have registered meanwhile that nobody has told of.
func TestOwnPositionCountsOnlyByItsEcho(t *testing.T) {
	t.Parallel()
	s := server(t)
	a := s.open(s.config("a"))
	unseen := s.open(s.config("c"))
	open := s.next(unseen).IDs()[0]
	s.await("a announces the open id as its own position", func() bool { return s.stored("a") >= open })
	s.stays("a does not count it", func() bool { return a.CurrentToken() < open })
	// A follower sees the registration first, as it comes first in the WAL.
	a.Apply([]tracker.Event{
		{Verb: tracker.VerbAnnounce, Writer: "c", To: 0},
		{Verb: tracker.VerbAnnounce, Writer: "a", To: s.stored("a")},
	})
	if got := a.CurrentToken(); got >= open {
		t.Errorf("position %d with %d open", got, open)
	}
}

// Where Writers names everybody the own position counts at once, as soon as
// everybody has one.
func TestOwnPositionCountsAtOnceWhereAllAreKnown(t *testing.T) {
	t.Parallel()
	s := server(t)
	c := s.config("a", "a", "b")
	c.IdleInterval = time.Hour // nothing is stored but by a finish
	a := s.open(c)
	s.exec("SELECT nextval('foobar_seq') FROM generate_series(1, 9)")
	s.stays("b has never announced and counts as 0", func() bool { return a.CurrentToken() == 0 })
	a.Advance("b", 9)
	s.await("a follows at once", func() bool { return a.CurrentToken() == 9 && a.CurrentTokenForWriter("a") == 9 })
	if got := s.stored("a"); got != 0 {
		t.Errorf("stored %d: others' moves must not make everybody write", got)
	}
	if a.Advance("a", 20); a.CurrentToken() != 9 {
		t.Error("an echo of the own name was believed")
	}
}

// RULES 20: a registration that hangs in its commit is not seen by the load;
// the minimum must stay below what was drawn before it.
func TestLoadWhileARegistrationHangs(t *testing.T) {
	t.Parallel()
	s := server(t)
	hanging := s.connect()
	mustExec(t, hanging, "BEGIN; INSERT INTO stream_positions VALUES ('test_stream', 'c', 0)")
	a := s.open(s.config("a"))
	s.exec("SELECT nextval('foobar_seq') FROM generate_series(1, 5)") // c's, and open
	s.await("announced", func() bool { return s.stored("a") == 5 })
	// The echo comes, and the registration never will: it lies before the load.
	echo := []tracker.Event{{Verb: tracker.VerbAnnounce, Writer: "a", To: 5}}
	a.Apply(echo)
	s.stays("capped", func() bool { return a.CurrentToken() == 0 })
	mustExec(t, hanging, "COMMIT")
	s.await("c is found", func() bool { _, ok := a.Positions()["c"]; return ok })
	a.Apply(echo)
	s.stays("held by c", func() bool { return a.CurrentToken() == 0 })
	s.exec("UPDATE stream_positions SET stream_id = 5 WHERE instance_name = 'c'")
	if err := a.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := a.CurrentToken(); got != 5 {
		t.Errorf("position %d after everybody has announced 5", got)
	}
}

// Rows of writers that are not listed go, once nobody can be writing under
// their names; starts that remove the same rows at once do not fail.
func TestUnlistedWritersAreRemoved(t *testing.T) {
	t.Parallel()
	s := server(t)
	s.exec("SELECT setval('foobar_seq', 10)")
	s.exec("INSERT INTO stream_positions SELECT 'test_stream', 'old' || n, 1 FROM generate_series(1, 50) n")
	s.exec("INSERT INTO stream_positions VALUES ('another_stream', 'old1', 1)")
	alive := s.open(s.config("old7"))
	bystander := s.connect()
	mustExec(t, bystander, "BEGIN; SELECT 1")
	writers := []string{"w0", "w1", "w2", "w3"}
	errs := make(chan error)
	all := make([]*Allocator, len(writers))
	for i, w := range writers {
		go func() {
			a, err := Open(t.Context(), s.pool, s.config(w, writers...))
			all[i] = a
			errs <- err
		}()
	}
	for range writers {
		if err := <-errs; err != nil {
			t.Errorf("open while others remove the same rows: %v", err)
		}
	}
	for _, a := range all {
		s.closeAtEnd(a)
	}
	count := "SELECT count(*) FROM stream_positions WHERE instance_name LIKE 'old%' AND stream_name = 'test_stream'"
	s.stays("a transaction is open that may be theirs", func() bool { return s.number(count) == 50 })
	mustExec(t, bystander, "COMMIT")
	s.await("only the one that is alive stays", func() bool { return s.number(count) == 1 })
	if s.number("SELECT count(*) FROM stream_positions WHERE stream_name = 'another_stream'") != 1 {
		t.Error("another stream's row was removed")
	}
	s.await("logged", func() bool { return s.log.has("a writer that is not listed is at work") })
	s.write(alive)
}

func TestNonWriterMayNotAllocate(t *testing.T) {
	t.Parallel()
	s := server(t)
	reader := s.open(s.config("r", "a"))
	ctx := t.Context()
	if _, err := reader.Next(ctx); err == nil {
		t.Error("a non-writer got an id")
	}
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := reader.NextTx(ctx, tx); err == nil {
		t.Error("a non-writer got an id in a transaction")
	}
	a := s.open(s.config("a", "a"))
	for _, n := range []int{0, -1, MaxIDs + 1} {
		if _, err := a.NextN(ctx, n); err == nil {
			t.Errorf("got %d ids", n)
		}
		if _, err := a.NextNTx(ctx, tx, n); err == nil {
			t.Errorf("got %d ids in a transaction", n)
		}
	}
	if n := s.number("SELECT last_value FROM foobar_seq WHERE is_called UNION ALL SELECT 0 LIMIT 1"); n != 0 {
		t.Errorf("%d ids were drawn", n)
	}
}

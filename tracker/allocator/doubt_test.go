package allocator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// RULES 19: the client gives up at COMMIT, and the backend, which was stopped,
// commits much later. The id must not be passed before.
func TestCommitAfterTheClientHasGone(t *testing.T) {
	t.Parallel()
	for _, bound := range []bool{false, true} {
		s := server(t)
		a := s.open(s.config("a", "a"))
		h := s.next(a)
		id := h.IDs()[0]
		tx, err := s.pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if bound {
			if err := h.Bind(t.Context(), tx); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := tx.Exec(t.Context(), "INSERT INTO foobar VALUES ($1, 'a')", id); err != nil {
			t.Fatal(err)
		}
		pid := int(tx.Conn().PgConn().PID())
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		err = tx.Commit(ctx)
		cancel()
		if err == nil {
			t.Fatal("a stopped backend has committed")
		}
		_ = h.Finish(t.Context(), err)
		s.stays("the id is open", func() bool { return a.CurrentToken() < id && s.stored("a") < id })
		if open := a.Open(); len(open) != 1 || !open[0].Finished || open[0].IDs[0] != id {
			t.Errorf("open handles %+v", open)
		}
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		s.await("the position passes", func() bool { return a.CurrentToken() >= id })
		if s.number("SELECT count(*) FROM foobar") != 1 {
			t.Error("the row was not committed: the test shows nothing")
		}
	}
}

// The session is terminated while COMMIT waits for a standby: the client sees
// an error, and the row is there.
func TestTerminatedAtCommit(t *testing.T) {
	t.Parallel()
	s := server(t)
	a := s.open(s.config("a", "a"))
	tx, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h, err := a.NextTx(t.Context(), tx)
	if err != nil {
		t.Fatal(err)
	}
	id := h.IDs()[0]
	if _, err := tx.Exec(t.Context(), "INSERT INTO foobar VALUES ($1, 'a')", id); err != nil {
		t.Fatal(err)
	}
	if err := s.cluster.SetSettings(t.Context(), map[string]string{"synchronous_standby_names": "nobody"}); err != nil {
		t.Fatal(err)
	}
	pgtest.AwaitCommitsWait(t, s.cluster.URL("", ""))
	done := make(chan error)
	go func() { done <- tx.Commit(context.Background()) }()
	s.await("the commit waits", func() bool {
		return s.number("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == 1
	})
	s.stays("decodable, not visible: open", func() bool { return a.CurrentToken() < id })
	s.exec("SELECT pg_terminate_backend($1)", int32(tx.Conn().PgConn().PID()))
	if err := <-done; err == nil {
		t.Fatal("the commit succeeded")
	} else if err := h.Finish(t.Context(), err); err != nil {
		t.Fatal(err)
	}
	s.await("announced, though no standby ever comes", func() bool { return a.CurrentToken() >= id && s.stored("a") >= id })
	if s.number("SELECT count(*) FROM foobar") != 1 {
		t.Error("the row was not committed: the test shows nothing")
	}
}

// NextTx: Finish is optional, and before the transaction ends it changes
// nothing.
func TestTransactionsIDsEndWithIt(t *testing.T) {
	t.Parallel()
	s := server(t)
	a := s.open(s.config("a", "a"))
	failure := errors.New("not this time")
	for i, end := range []error{nil, failure} {
		var id int64
		err := pgx.BeginFunc(t.Context(), s.pool, func(tx pgx.Tx) error {
			h, err := a.NextNTx(t.Context(), tx, 3)
			if err != nil {
				return err
			}
			id = h.IDs()[2]
			_ = h.Finish(t.Context(), nil) // too early
			s.stays("open", func() bool { return a.CurrentToken() < h.IDs()[0] })
			return end
		})
		if !errors.Is(err, end) {
			t.Fatal(err)
		}
		s.await(fmt.Sprintf("round %d is done", i), func() bool { return a.CurrentToken() == id && len(a.Open()) == 0 })
	}
	tx, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h, err := a.NextTx(t.Context(), tx)
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.await("done without Finish", func() bool { return a.CurrentToken() == h.IDs()[0] })
}

// A retry loop around serialization failures: the ids of every attempt end.
func TestRetriesLeaveNothingOpen(t *testing.T) {
	t.Parallel()
	s := server(t)
	a := s.open(s.config("a", "a"))
	s.exec("CREATE TABLE counter (n int); INSERT INTO counter VALUES (0)")
	attempts := 0
	write := func() error {
		return pgx.BeginTxFunc(t.Context(), s.pool, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(tx pgx.Tx) error {
			attempts++
			h, err := a.NextTx(t.Context(), tx)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(t.Context(), "INSERT INTO foobar VALUES ($1, 'a')", h.IDs()[0]); err != nil {
				return err
			}
			if attempts == 1 {
				s.exec("UPDATE counter SET n = n + 1")
			}
			_, err = tx.Exec(t.Context(), "UPDATE counter SET n = n + 1")
			return err
		})
	}
	var pg *pgconn.PgError
	err := write()
	if !errors.As(err, &pg) || pg.Code != "40001" {
		t.Fatalf("first attempt: %v", err)
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	s.await("both ids are done", func() bool { return a.CurrentToken() == 2 })
}

// RULES 19: only the first Finish counts. A deferred one does not end what the
// first left in doubt, and what has ended is not put in doubt again.
func TestOnlyTheFirstFinishCounts(t *testing.T) {
	t.Parallel()
	s := server(t)
	a := s.open(s.config("a", "a"))
	ended := s.next(a)
	_ = ended.Finish(t.Context(), nil)
	_ = ended.Finish(t.Context(), io.ErrUnexpectedEOF)
	h := s.next(a)
	id := h.IDs()[0]
	bystander := s.connect()
	mustExec(t, bystander, "BEGIN; SELECT 1") // may be the one whose outcome is not known
	_ = h.Finish(t.Context(), io.ErrUnexpectedEOF)
	_ = h.Finish(t.Context(), nil)
	s.await("the other has ended", func() bool { return a.CurrentToken() == id-1 })
	s.stays("in doubt", func() bool { return a.CurrentToken() < id && s.stored("a") < id && len(a.Open()) == 1 })
	mustExec(t, bystander, "COMMIT")
	s.await("ended", func() bool { return a.CurrentToken() == id && len(a.Open()) == 0 })
}

// RULES 19: an id that was bound twice, as in a retry after a lost connection,
// is done when both transactions have ended, not when the second has.
func TestAnIDThatTwoTransactionsMayWrite(t *testing.T) {
	t.Parallel()
	s := server(t)
	a := s.open(s.config("a", "a"))
	h := s.next(a)
	id := h.IDs()[0]
	var txs []pgx.Tx
	for range 2 {
		tx, err := s.pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
		if err := h.Bind(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
		txs = append(txs, tx)
	}
	if err := h.Finish(t.Context(), txs[1].Commit(t.Context())); err != nil {
		t.Fatal(err)
	}
	s.stays("the first may still commit", func() bool { return a.CurrentToken() < id && s.stored("a") < id })
	if err := txs[0].Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.await("done", func() bool { return a.CurrentToken() == id })
}

func TestDoubtfulErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errors.New("the caller's own"), false},
		{pgx.ErrTxCommitRollback, false},
		{&pgconn.PgError{SeverityUnlocalized: "ERROR", Code: "23505"}, false},
		{&pgconn.PgError{SeverityUnlocalized: "FATAL", Code: "57P01"}, true},
		{fmt.Errorf("commit: %w", io.ErrUnexpectedEOF), true},
		{fmt.Errorf("commit: %w", context.DeadlineExceeded), true},
		{fmt.Errorf("commit: %w", syscall.ECONNRESET), true},
		{errUnknown, true},
	} {
		if got := doubtful(c.err); got != c.want {
			t.Errorf("doubtful(%v) = %v", c.err, got)
		}
	}
}

// A panic in the write tells nothing of its transaction: it is waited for.
func TestPanicInWith(t *testing.T) {
	t.Parallel()
	s := server(t)
	a := s.open(s.config("a", "a"))
	func() {
		defer func() { _ = recover() }()
		_ = a.With(t.Context(), 1, func(context.Context, []int64) error { panic("no") })
	}()
	s.await("done", func() bool { return a.CurrentToken() == 1 && len(a.Open()) == 0 })
}

package allocator

import (
	"context"
	"testing"
	"time"
)

// A transaction's id leaves no trace on disk before it writes: after a crash the
// server does not know that there was one, and says so with an error. It has
// ended all the same, and the ids drawn for it with it. RULES 19.
func TestTransactionThatTheServerForgot(t *testing.T) {
	t.Parallel()
	s := server(t, unhurried()...)
	a := s.open(s.patient("a"))
	s.exec("SELECT nextval('foobar_seq')") // logs the next values, and has that flushed:
	s.flushAll()
	tx, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	for range 20 { // so that it is younger than whatever the start of the server needs
		other := s.connect()
		mustExec(t, other, "BEGIN; SELECT pg_current_xact_id()")
	}
	h, err := a.NextTx(t.Context(), tx)
	if err != nil {
		t.Fatal(err)
	}
	id, transaction := h.IDs()[0], a.Open()[0].Transactions[0]
	s.killAndStart()
	if _, err := s.conn.Exec(t.Context(), "SELECT pg_xact_status($1::text::xid8)", transaction); err == nil {
		t.Fatal("the server knows the transaction: the test shows nothing")
	}
	began := time.Now()
	s.await("done", func() bool { return s.stored("a") >= id })
	t.Log(time.Since(began))
}

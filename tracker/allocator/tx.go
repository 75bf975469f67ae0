package allocator

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// bindTx assigns the transaction its id, and takes the lock on the sequence
// that nextval would take, until the transaction ends: whoever waits for the
// holders of the sequence's lock waits for it. (LOCK TABLE takes no sequence,
// and currval wants a nextval in the same session.)
const bindTx = `SELECT pg_current_xact_id()::text, pg_sequence_last_value($1::oid::regclass) IS NULL`

// bind is bindTx for a transaction.
func (a *Allocator) bind(ctx context.Context, tx pgx.Tx) (xid, error) {
	var text string
	var unused bool
	if err := tx.QueryRow(ctx, bindTx, a.db.sequence).Scan(&text, &unused); err != nil {
		return 0, fmt.Errorf("bind to the transaction: %w", err)
	}
	return parseXID(text)
}

// NextTx draws one id for tx and ties it to tx: when tx has ended, and however,
// the id is done. Finish is optional, and makes the database be asked sooner;
// before tx has ended it changes nothing. The id must be written by tx alone.
func (a *Allocator) NextTx(ctx context.Context, tx pgx.Tx) (*Handle, error) {
	return a.nextTx(ctx, tx, 1, callerOf())
}

// NextNTx is NextTx for n ids under one handle, 1 <= n <= MaxIDs.
func (a *Allocator) NextNTx(ctx context.Context, tx pgx.Tx, n int) (*Handle, error) {
	return a.nextTx(ctx, tx, n, callerOf())
}

// nextTx binds first and draws then, over the lease's connection like any
// other draw: so an id that a transaction has drawn was drawn by who held the
// name, after the transaction had become visible to whoever takes it next.
func (a *Allocator) nextTx(ctx context.Context, tx pgx.Tx, n int, caller uintptr) (*Handle, error) {
	if err := a.mayDraw(n); err != nil {
		return nil, err
	}
	x, err := a.bind(ctx, tx)
	if err != nil {
		return nil, err
	}
	e, err := a.allocate(ctx, n, caller)
	if err != nil {
		return nil, err
	}
	a.book.mu.Lock()
	e.xids, e.inTx = []xid{x}, true
	a.book.mu.Unlock()
	a.wake()
	return a.handle(e), nil
}

// Bind ties ids that were drawn ahead to the transaction that is about to write
// them; call it in tx, before the first of them is written. It may be called
// again for another transaction when the first was rolled back, as in a retry.
// It makes the outcome of a lost commit certain, lets a restarted instance wait
// for less (Config.Bound), and fails where another process may have taken the
// name meanwhile: then tx must be rolled back. RULES 18 and 19.
func (h *Handle) Bind(ctx context.Context, tx pgx.Tx) error {
	a := h.a
	x, err := a.bind(ctx, tx)
	if err != nil {
		return err
	}
	b := &a.book
	b.mu.Lock()
	_, open := b.entries[h.entry]
	if open && !slices.Contains(h.entry.xids, x) {
		h.entry.xids = append(h.entry.xids, x)
	}
	drawnUnder := h.entry.lease
	b.mu.Unlock()
	if !open {
		return errors.New("bind to the transaction: the handle is finished")
	}
	// Only now: whoever takes the name after this answer finds tx.
	return a.makeSure(ctx, drawnUnder)
}

// makeSure asks whether the lease is the one that ids were drawn under. A caller
// that goes before the answer comes must not take the connection with it, and
// with that the name: it is asked in the background.
func (a *Allocator) makeSure(ctx context.Context, drawnUnder int) error {
	answer := make(chan error, 1)
	a.book.mu.Lock()
	err := a.book.failure
	if err == nil {
		a.background.Go(func() {
			ctx, cancel := context.WithTimeout(a.life, drawTimeout)
			defer cancel()
			answer <- a.lease.use(ctx, func(ctx context.Context, conn *pgx.Conn) error {
				return a.stillOurs(ctx, conn, drawnUnder)
			})
		})
	}
	a.book.mu.Unlock()
	if err != nil {
		return fmt.Errorf("bind to the transaction: %w", err)
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("bind to the transaction: %w", context.Cause(ctx))
	}
}

// stillOurs asks the lease's session whether it lives, and is the one that the
// ids were drawn under.
func (a *Allocator) stillOurs(ctx context.Context, conn *pgx.Conn, drawnUnder int) error {
	var pid uint32
	if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		return fmt.Errorf("make sure of the lease: %w", err)
	}
	if err := a.lease.verify(pid); err != nil {
		return err
	}
	if a.lease.life != drawnUnder {
		return errors.New("bind to the transaction: the lease was lost since the ids were drawn: roll back and draw others")
	}
	return nil
}

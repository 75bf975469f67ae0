package allocator

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/tracker/allocator/internal/ledger"
)

// Reasons why an allocator stops for good.
//
//tidemark:readonly
var (
	// ErrWentBack: the sequence has handed out an id that it had handed out
	// before, or will: after a crash that lost nextval's WAL, a setval, TRUNCATE
	// … RESTART IDENTITY, DROP and CREATE, or a restored backup. So does every
	// ALTER SEQUENCE that rewrites it, for one cannot be told from the other. Nothing that this allocator knows of later ids holds any more:
	// close it and open another one, which reads everything anew. RULES 17.
	ErrWentBack = ledger.ErrWentBack
	// ErrHistory: the server that answers is another one, or was promoted:
	// what is known of the former's ids may not be true here. Close the
	// allocator and open another one. RULES 11 and 19.
	ErrHistory = ledger.ErrHistory
	// ErrUsurped: while the lease was lost, another process used the name and
	// announced further than this one had got, or removed its row; what is open
	// here may have been passed. RULES 18.
	ErrUsurped = ledger.ErrUsurped
)

// begin is called with each connection that has just taken the lease: at the
// start, and after the former was lost. Another life may have used the name
// before, and have left transactions behind.
func (a *Allocator) begin(ctx context.Context, conn *pgx.Conn) error {
	if err := a.failed(); err != nil {
		return err
	}
	err := a.beginLife(ctx, conn)
	if errors.Is(err, ErrWentBack) || errors.Is(err, ErrHistory) || errors.Is(err, ErrUsurped) {
		a.fail(err)
	}
	if err != nil {
		return fmt.Errorf("begin as instance %q of stream %q: %w", a.cfg.Instance, a.cfg.Stream, err)
	}
	return nil
}

func (a *Allocator) beginLife(ctx context.Context, conn *pgx.Conn) error {
	if err := a.recognise(ctx, conn); err != nil {
		return err
	}
	r, err := a.readFlushed(ctx, conn)
	if err != nil {
		return err
	}
	stored, fresh, err := a.enrol(ctx, conn, r, a.book.registers)
	if err != nil {
		return err
	}
	left := openDrain()
	if a.cfg.Bound {
		left = holdersDrain(a.db.sequence)
	}
	// Listed only now: the lease keeps others of the name from beginning more.
	ended, err := left.look(ctx, conn)
	if err != nil {
		return err
	}
	return a.book.begin(ledger.Life{
		Last: r.last, OnDisk: r.wal.onDisk, Stored: stored, Fresh: fresh, Ended: ended, Rowless: !a.cfg.keepsPositions(),
	}, left)
}

const histories = `SELECT s.system_identifier || ' ' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) FROM pg_control_system() s`

// recognise compares the server with the one of the last life.
func (a *Allocator) recognise(ctx context.Context, conn *pgx.Conn) error {
	var history, life string
	b := &pgx.Batch{}
	b.Queue(histories).QueryRow(into(&history))
	b.Queue(serverLife).QueryRow(into(&life))
	if err := conn.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("ask which server this is: %w", err)
	}
	return a.book.recognise(history, life)
}

// sameHistory stops the allocator if the answer that it came with is another
// server's than the one that it knows: none of it may be believed, and nothing
// announced there. The pool may reach a promoted standby before the lease does.
// RULES 11 and 19.
func (a *Allocator) sameHistory(history string) error {
	err := a.book.same(history)
	if err != nil {
		a.fail(err)
	}
	return err
}

// read takes a reading of the sequence that the allocator began with.
func (a *Allocator) read(ctx context.Context, q querier) (reading, error) {
	r, err := a.db.read(ctx, q)
	if err == nil {
		err = a.sameSequence(r.sequence)
	}
	return r, err
}

// sameSequence stops the allocator if an answer is of another sequence than
// before: one that was dropped and made again under the name, or restarted. Its
// values may have passed the former's by now: they alone would not tell. RULES 4.
func (a *Allocator) sameSequence(sequence string) error {
	err := a.book.sameSequence(sequence)
	if err != nil {
		a.fail(err)
	}
	return err
}

// enrolAgain registers the instance once more, whose row has gone from under it.
// Whoever calls it has the lease's turn.
func (a *Allocator) enrolAgain(ctx context.Context, conn *pgx.Conn) error {
	a.log.WarnContext(ctx, "own row of the positions table is gone: registering again")
	r, err := a.readFlushed(ctx, conn)
	if err == nil {
		_, _, err = a.enrol(ctx, conn, r, a.book.registration)
	}
	return err
}

// readFlushed reads the sequence and has what it read put on disk: a claim may
// count only what a crash cannot take back. RULES 17.
func (a *Allocator) readFlushed(ctx context.Context, conn *pgx.Conn) (reading, error) {
	r, err := a.read(ctx, conn)
	if err == nil {
		r.wal, err = a.db.flush(ctx, conn, r.wal)
	}
	return r, err
}

// enrol makes sure that the instance has a row, and returns the position in
// it. A new row's position is the last value as it was before: every id drawn
// later is greater. It is no done id. RULES 15.
func (a *Allocator) enrol(
	ctx context.Context, conn *pgx.Conn, r reading, position func(reading) (int64, error),
) (stored int64, fresh bool, err error) {
	if !a.cfg.keepsPositions() {
		return r.last, false, nil
	}
	for {
		err = conn.QueryRow(ctx, a.db.own, a.cfg.Stream, a.cfg.Instance).Scan(&stored)
		switch {
		case err == nil:
			return max(a.cfg.inward(stored), 0), false, nil
		case !errors.Is(err, pgx.ErrNoRows):
			return 0, false, fmt.Errorf("look for the instance's position: %w", err)
		}
		value, err := position(r)
		if err != nil {
			return 0, false, err
		}
		done, err := conn.Exec(ctx, a.db.register, a.cfg.Stream, a.cfg.Instance, a.cfg.outward(value))
		switch {
		case err != nil:
			return 0, false, fmt.Errorf("register the instance: %w", err)
		case done.RowsAffected() > 0:
			return value, true, nil
		}
		// One of an earlier life has come before it: what it says counts.
	}
}

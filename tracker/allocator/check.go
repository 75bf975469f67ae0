package allocator

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"
)

// BehindError says that a stored position is ahead of the sequence: ids that
// were announced as done would be handed out again.
type BehindError struct {
	// Stream and Sequence are which.
	Stream, Sequence string
	// Last is the highest id drawn, Stored the furthest stored position, both
	// as the sequence counts.
	Last, Stored int64
}

// Error says what to do.
func (e *BehindError) Error() string {
	return fmt.Sprintf("sequence %s is at %d, but a stored position of stream %q is at %d: ids that readers take for done would be handed out again; "+
		"if the ids up to it were drawn, run SELECT setval('%s', %d), else correct the stream's rows in the positions table",
		e.Sequence, e.Last, e.Stream, e.Stored, strings.ReplaceAll(e.Sequence, "'", "''"), e.Stored)
}

// burnable is the greatest distance that repairing a sequence covers by drawing
// ids, which cannot set it back, whoever else draws.
const burnable = 10_000

// repairLock keeps two repairs of a sequence apart: the second would set back
// what had been drawn after the first.
const repairLock = `SELECT pg_advisory_xact_lock(hashtextextended('tidemark sequence repair ' || $1::oid, 0))`

// checkSequence compares the sequence with the rows and the stored positions.
// A sequence behind the rows is moved up to them; then, or where it was right,
// a stored position ahead of it is an error.
func (db *database) checkSequence(ctx context.Context, log *slog.Logger) error {
	// Before the sequence is read: others draw and announce meanwhile.
	furthest, err := db.furthestStored(ctx)
	if err != nil {
		return err
	}
	highest, err := db.highestRow(ctx)
	if err != nil {
		return err
	}
	r, err := db.read(ctx, db.pool)
	if err != nil {
		return err
	}
	if highest > r.last {
		log.WarnContext(ctx, "sequence is behind the rows of its stream: moving it up",
			"stream", db.cfg.Stream, "sequence", db.cfg.Sequence, "last_value", r.last, "highest_id", highest)
		if r.last, err = db.repair(ctx, highest); err != nil {
			return fmt.Errorf("move sequence %s of stream %q up to %d: %w", db.cfg.Sequence, db.cfg.Stream, highest, err)
		}
	}
	if furthest > r.last {
		return &BehindError{Stream: db.cfg.Stream, Sequence: db.cfg.Sequence, Last: r.last, Stored: furthest}
	}
	return nil
}

// repair moves the sequence up to at least to, and returns where it is.
func (db *database) repair(ctx context.Context, to int64) (last int64, err error) {
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, repairLock, db.sequence); err != nil {
			return err
		}
		r, err := db.read(ctx, tx)
		if err != nil || r.last >= to {
			last = r.last
			return err
		}
		move, args := "SELECT max(nextval($1::oid::regclass)) FROM generate_series(1, $2::int8)", []any{db.sequence, to - r.last}
		if to-r.last > burnable {
			move = "SELECT setval($1::oid::regclass, greatest($2::int8, last_value)) FROM " + db.cfg.Sequence
			args[1] = to
		}
		return tx.QueryRow(ctx, move, args...).Scan(&last)
	})
	return last, err
}

// highestRow returns the highest id of the tables, as the sequence counts.
func (db *database) highestRow(ctx context.Context) (int64, error) {
	highest := int64(0)
	for _, t := range db.cfg.Tables {
		id, err := t.furthestID(ctx, db.pool, db.cfg.Descending)
		if err != nil {
			return 0, err
		}
		highest = max(highest, db.cfg.inward(id))
	}
	return highest, nil
}

// furthestStored returns the furthest stored position, as the sequence counts.
func (db *database) furthestStored(ctx context.Context) (int64, error) {
	if !db.cfg.keepsPositions() {
		return 0, nil
	}
	furthest := int64(0)
	rows, err := db.pool.Query(ctx, db.positions, db.cfg.Stream)
	if err != nil {
		return 0, fmt.Errorf("read stored positions: %w", err)
	}
	var name string
	var position int64
	_, err = pgx.ForEachRow(rows, []any{&name, &position}, func() error {
		furthest = max(furthest, db.cfg.inward(position))
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("read stored positions: %w", err)
	}
	return furthest, nil
}

package allocator

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/tracker/allocator/internal/ledger"
)

// querier is what a connection, a pool and a transaction have in common.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// into reads the one row of a statement of a batch.
func into(targets ...any) func(pgx.Row) error {
	return func(row pgx.Row) error { return row.Scan(targets...) }
}

// scans is how often a statement reads the sequence. nextval changes the tuple
// in place, and every 32 values it puts the value 32 ahead there for a moment,
// while it logs it; a plain SELECT may see that value, which nobody has drawn.
// Two scans cannot fall into the same such moment, since each begins by locking
// the buffer, and of values seen in different moments the lower has been drawn,
// unless a checkpoint began between them. For three it would take two
// checkpoints within one statement. A value that is too high would say that
// later ids are greater where they are not.
const scans = 3

// lastValue is a statement that reads how far the sequence has gone: the
// highest value drawn, 0 when there is none; and of which sequence that is, for
// one that was made anew or restarted goes by the same name (RULES 4). It takes
// no lock that anybody waits for, as currval, pg_sequences and the like do
// (RULES 5).
func lastValue(sequence string) string {
	one := "SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END AS v, tableoid AS s FROM " + sequence
	all := one
	for range scans - 1 {
		all += " UNION ALL " + one
	}
	return "SELECT greatest(min(v), 0), min(s) || '/' || pg_relation_filenode(min(s)) FROM (" + all + ") AS scans"
}

// walNow says which backend answers, and how far WAL is written and flushed.
// It belongs in a statement of its own, after what it is to cover.
const walNow = `SELECT pg_backend_pid(), (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8,
	(pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::int8`

// walDrawn is walNow after a draw from $1, and as lastValue of which sequence:
// the draw's lock on it keeps it from being restarted between the two.
const walDrawn = walNow + `, $1::oid || '/' || pg_relation_filenode($1::oid)`

// column quotes the name of a column.
func column(name string) string { return pgx.Identifier{name}.Sanitize() }

// flushNow makes the server put all WAL on disk that is written so far. A
// commit that wrote nothing does not (RULES 9), and one that waits for a
// standby could hang: hence the message and local.
func flushNow(b *pgx.Batch) {
	b.Queue(`SELECT set_config('synchronous_commit', 'local', true)`)
	b.Queue(`SELECT pg_logical_emit_message(true, 'tidemark', '')`)
}

// xid is a transaction id with its epoch, as xid8.
type xid uint64

func parseXID(text string) (xid, error) {
	x, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read transaction id %q: %w", text, err)
	}
	return xid(x), nil
}

func (x xid) String() string { return strconv.FormatUint(uint64(x), 10) }

// wal is what walNow tells.
type wal struct {
	pid              uint32
	inserted, onDisk ledger.LSN
}

// scan reads it, and what else the row holds.
func (w *wal) scan(row pgx.Row, g ledger.Geometry, further ...any) error {
	var inserted, flushed int64
	if err := row.Scan(append([]any{&w.pid, &inserted, &flushed}, further...)...); err != nil {
		return err
	}
	w.inserted, w.onDisk = g.End(ledger.LSN(inserted)), ledger.LSN(flushed)
	return nil
}

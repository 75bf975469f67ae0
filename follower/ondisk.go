package follower

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
)

// onDisk has read load something over conn, from one snapshot, all of which is
// on disk. Who commits asynchronously shows a row before it is there, and the
// nextval that drew its id neither: after a crash somebody else would have the
// id, in the same epoch. What comes through the slot is on disk. RULES 17.
func (l *listener) onDisk(ctx context.Context, conn *pgx.Conn, read func() error) error {
	if conn.PgConn().TxStatus() != 'I' { // the snapshot stands already
		return l.awaitDisk(ctx, conn, read)
	}
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, conn, snapshot, func(pgx.Tx) error {
		return l.awaitDisk(ctx, conn, read)
	})
}

// awaitDisk waits until what the transaction's snapshot shows is on disk; the
// warden sees to it if nobody else does. RULES 9.
func (l *listener) awaitDisk(ctx context.Context, conn *pgx.Conn, read func() error) error {
	var need pglogrepl.LSN
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		var inserted, flushed int64
		err := conn.QueryRow(ctx, `SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8,
			(pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::int8`).Scan(&inserted, &flushed)
		if err != nil {
			return fmt.Errorf("ask whether what is loaded is on disk: %w", err)
		}
		if need == 0 {
			need = pglogrepl.LSN(inserted)
		}
		if l.footing.identity.Geometry.Reached(pglogrepl.LSN(flushed), need) {
			return read()
		}
		request(l.flush)
		sleep(ctx, pause)
	}
}

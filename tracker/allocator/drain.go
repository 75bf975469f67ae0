package allocator

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/tracker/allocator/internal/ledger"
)

// drain waits for the end of every transaction that was open at one moment and
// may write what a claim is about.
type drain struct {
	query string
	args  []any
	wait  ledger.Wait
}

// openTransactions lists the transactions that may write rows of this database:
// of clients, of background workers, and prepared ones. Autovacuum and
// walsenders write no rows. Every transaction holds its own virtualxid, and a
// prepared one, which holds none, its transactionid.
const openTransactions = `SELECT DISTINCT l.virtualtransaction FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
WHERE l.locktype IN ('virtualxid', 'transactionid') AND l.mode = 'ExclusiveLock' AND l.granted
	AND l.pid IS DISTINCT FROM pg_backend_pid()
	AND (a.datid IS NULL OR a.datid = (SELECT oid FROM pg_database WHERE datname = current_database()))
	AND coalesce(a.backend_type, '') NOT IN ('autovacuum worker', 'walsender')`

// lockHolders lists those that have written to, or drawn from, one relation.
// The database is named because a relation's oid is unique within one only.
const lockHolders = `SELECT DISTINCT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND relation = $1 AND granted AND pid IS DISTINCT FROM pg_backend_pid()
	AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
	AND mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')`

// serverLife tells one life of the server from the next: a start, a crash
// (which resets the statistics, though the postmaster lives on), another
// timeline, another cluster. Some of it changes without need, which costs a
// list made anew.
const serverLife = `SELECT concat_ws(' ', s.system_identifier, left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
	pg_postmaster_start_time(), b.stats_reset) FROM pg_control_system() s, pg_stat_bgwriter b`

func openDrain() *drain { return &drain{query: openTransactions} }

func holdersDrain(relation uint32) *drain {
	return &drain{query: lockHolders, args: []any{relation}}
}

// look lists who is open, the first time, and later who of those still is. It
// reports whether none is.
func (d *drain) look(ctx context.Context, q querier) (ended bool, err error) {
	var open []string
	var life string
	b := &pgx.Batch{}
	b.Queue(d.query, d.args...).Query(func(rows pgx.Rows) (err error) {
		open, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	b.Queue(serverLife).QueryRow(into(&life))
	if err := q.SendBatch(ctx, b).Close(); err != nil {
		return false, fmt.Errorf("list open transactions: %w", err)
	}
	return d.wait.Look(open, life), nil
}

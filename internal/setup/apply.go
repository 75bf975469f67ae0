package setup

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// patience is how long a statement of its own runs before the user is told
// what it waits for.
const patience = time.Second

// Apply runs a plan on conn, in order: what may share a transaction in one,
// the rest, which is the slot, by itself. An error says which statement failed;
// its transaction is then undone, and the plan can be made and run again.
//
// The creation of a slot waits until every transaction that is writing at that
// moment has ended. After a second, progress is told once, in one line, which
// these are; it is called from another goroutine and may be nil. When ctx ends
// meanwhile the creation is cancelled at the server, so that no slot appears
// later that nobody reads.
func Apply(ctx context.Context, conn *pgx.Conn, statements []Statement, progress func(string)) error {
	for _, group := range groups(statements) {
		run := applyTogether
		if group[0].Alone {
			run = func(ctx context.Context, conn *pgx.Conn, group []Statement) error {
				return applyAlone(ctx, conn, group[0], progress)
			}
		}
		if err := run(ctx, conn, group); err != nil {
			return err
		}
	}
	return nil
}

func applyTogether(ctx context.Context, conn *pgx.Conn, group []Statement) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return doing("begin", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // after a commit there is nothing left to undo
	if _, err := tx.Exec(ctx, lockTimeout); err != nil {
		return doing("limit lock waits", err)
	}
	for _, s := range group {
		if _, err := tx.Exec(ctx, s.SQL); err != nil {
			return doing(s.Doing, err)
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return doing("commit", err)
	}
	return nil
}

// applyAlone runs one statement. The context does not reach the driver, which
// would drop the connection and leave the server at work.
func applyAlone(ctx context.Context, conn *pgx.Conn, s Statement, progress func(string)) error {
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		watch(ctx, conn, s, progress, done)
	}()
	_, err := conn.Exec(context.WithoutCancel(ctx), s.SQL)
	close(done)
	<-watched
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return doing(s.Doing, context.Cause(ctx))
	}
	return doing(s.Doing, err)
}

// watch tells what a statement waits for, and cancels it when ctx ends.
func watch(ctx context.Context, conn *pgx.Conn, s Statement, progress func(string), done <-chan struct{}) {
	late := time.NewTimer(patience)
	defer late.Stop()
	tick := late.C
	for {
		select {
		case <-done:
			return
		case <-tick:
			tick = nil
			if progress != nil {
				progress(s.Doing + ": " + waitingFor(ctx, conn))
			}
		case <-ctx.Done():
			cancelUntil(conn, done)
			return
		}
	}
}

// cancelUntil asks the server to cancel until the statement has ended: a
// request that comes before the statement has begun is lost.
func cancelUntil(conn *pgx.Conn, done <-chan struct{}) {
	for {
		ctx, stop := context.WithTimeout(context.Background(), patience)
		err := conn.PgConn().CancelRequest(ctx)
		stop()
		if err != nil {
			// The server cannot be reached: end the session from this side.
			_ = conn.PgConn().Conn().Close()
		}
		select {
		case <-done:
			return
		case <-time.After(patience):
		}
	}
}

// waitingFor lists the transactions that are writing, on a session of its own:
// conn is busy. What goes wrong is told in place of the list, since the
// statement itself is well.
func waitingFor(ctx context.Context, conn *pgx.Conn) string {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	other, err := pgx.ConnectConfig(ctx, conn.Config())
	if err != nil {
		return "still waiting (who for could not be asked)"
	}
	defer other.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was written
	writers, err := writing(ctx, other, conn.PgConn().PID())
	if err != nil {
		return "still waiting (who for could not be asked)"
	}
	if len(writers) == 0 {
		return "still waiting"
	}
	return "waits for " + strings.Join(writers, ", ")
}

// writing describes up to five transactions that have an xid, the oldest first.
// pg_locks shows them to every role, prepared ones too.
func writing(ctx context.Context, conn *pgx.Conn, except uint32) ([]string, error) {
	rows, err := conn.Query(ctx, `
		SELECT coalesce('prepared transaction ' || quote_literal(p.gid), 'pid ' || l.pid)
		       || coalesce(' (' || nullif(a.application_name, '') || ')', '')
		       || coalesce(', open for ' || extract(epoch FROM clock_timestamp() - coalesce(p.prepared, a.xact_start))::int || ' s', '')
		FROM pg_catalog.pg_locks l
		LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
		LEFT JOIN pg_catalog.pg_prepared_xacts p ON l.pid IS NULL AND p.transaction = l.transactionid
		WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted AND l.pid IS DISTINCT FROM $1
		ORDER BY coalesce(p.prepared, a.xact_start) NULLS LAST LIMIT 5`, int32(except))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

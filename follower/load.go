package follower

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/catalog"
	"github.com/tidemark-pg/tidemark/tracker"
)

// shown has read load something of stream i over conn and publish it, from what
// is on disk, not before every standby that is read shows what it finds, and
// after all that was found out before (RULES 13, 17). What read sees is a
// snapshot, which holds back the primary's vacuum: so it is taken when the
// standbys have been seen to keep up, and given up where they then do not.
func (l *listener) shown(ctx context.Context, conn *pgx.Conn, i int, read func() error) error {
	kept := func() error { return l.onDisk(ctx, conn, read) }
	if l.readers == nil {
		return kept()
	}
	for {
		began := time.Now()
		if err := l.replayed(ctx, conn, i); err != nil {
			return err
		}
		patience := 2*time.Since(began) + l.cfg.ReaderTimeout
		if late, err := l.readShown(ctx, conn, i, kept, patience); !late || ctx.Err() != nil {
			return err
		}
	}
}

// readShown is shown, once: late says that the standbys did not show the
// snapshot in time, and that nothing was read.
func (l *listener) readShown(ctx context.Context, conn *pgx.Conn, i int, read func() error, patience time.Duration) (late bool, err error) {
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, conn, snapshot, func(pgx.Tx) error {
		waiting, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := l.replayed(waiting, conn, i); err != nil {
			late = waiting.Err() != nil
			return err
		}
		return read()
	})
	return late, err
}

// replayed waits until every standby that is read shows what had been committed
// when it was called, in a transaction: when its snapshot was taken.
func (l *listener) replayed(ctx context.Context, conn *pgx.Conn, i int) error {
	var wal int64
	if err := conn.QueryRow(ctx, "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8").Scan(&wal); err != nil {
		return fmt.Errorf("ask what a standby must show: %w", err)
	}
	there := make(chan struct{})
	need := l.footing.identity.Geometry.End(pglogrepl.LSN(wal))
	l.readers.publish(outgoing{life: l.lives[i], need: need, apply: func() bool { close(there); return false }})
	select {
	case <-there:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// loadWriters is load, as a whole: the streams that wait for it say so where it
// takes long.
func (l *listener) loadWriters(ctx context.Context, conn *pgx.Conn, i int, floor int64) error {
	return l.shown(ctx, conn, i, func() error {
		defer l.tellLoad(ctx, i, new(progress), func(words string) { l.waitFor(i, words) })()
		return l.load(ctx, conn, i, floor)
	})
}

// load observes the newest id of each writer of stream i above floor, below
// which every row has been decoded. A row that a query shows is committed and
// visible, which is all that Observe says.
func (l *listener) load(ctx context.Context, conn *pgx.Conn, i int, floor int64) error {
	c := l.footing.catalog.Streams[i]
	for _, t := range c.Tables {
		rows, err := conn.Query(ctx, newest(c.Descending, t), l.streams[i].outward(floor), t.Writer)
		if err != nil {
			return fmt.Errorf("load the writers of table %s: %w", t.Name, err)
		}
		var writer string
		var id, wal int64
		var events []tracker.Event
		_, err = pgx.ForEachRow(rows, []any{&writer, &id, &wal}, func() error {
			events = append(events, tracker.Event{Verb: tracker.VerbObserve, Writer: writer, From: id, To: id})
			return nil
		})
		if err != nil {
			return fmt.Errorf("load the writers of table %s: %w", t.Name, err)
		}
		l.lives[i].found(events, pglogrepl.LSN(wal))
	}
	return nil
}

// walNow is the insert position, read once for a statement and after its
// snapshot was taken: whatever it shows was committed below.
const walNow = "(SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8)"

// found publishes rows that a query has shown; wal is the walNow of its statement.
func (l *life) found(events []tracker.Event, wal pglogrepl.LSN) {
	if len(events) == 0 {
		return
	}
	l.mu.Lock()
	l.mu.lsn = max(l.mu.lsn, wal) // before P moves
	l.mu.Unlock()
	l.observe(batch{events: events, end: wal, seen: wal, at: time.Now()})
}

// newest is the query for the newest id of each writer beyond $1. Rows whose
// instance is NULL are the writer ""'s; $2 names the writer of a table without
// instances.
func newest(descending bool, t catalog.ResolvedTable) string {
	id := pgx.Identifier{t.IDColumn}.Sanitize()
	instance := "$2::text"
	if t.InstanceColumn != "" {
		instance = "coalesce(" + pgx.Identifier{t.InstanceColumn}.Sanitize() + "::text, '')"
	}
	q := `SELECT INSTANCE AS w, max(ID)::int8, WALNOW FROM TABLE WHERE ID > $1::int8 AND ($2::text IS NOT NULL) GROUP BY 1`
	if descending {
		q = `SELECT INSTANCE AS w, min(ID)::int8, WALNOW FROM TABLE WHERE ID < $1::int8 AND ($2::text IS NOT NULL) GROUP BY 1`
	}
	return strings.NewReplacer("INSTANCE", instance, "ID", id, "TABLE", t.QuotedName, "WALNOW", walNow).Replace(q)
}

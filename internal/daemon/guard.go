package daemon

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tidemark-pg/tidemark/follower/slots"
)

// guard drops a permanent slot before it fills the disk: the one that Tidemark
// made and nobody reads, and never any other. A limit of 0 turns it off.
type guard struct {
	limit int64
	slot  string

	unread bool // also in the sample before: a reconnecting follower is no absence
}

// exceeded looks at a sample, and tells whether the slot should go. The server
// decides, when drop asks for it again.
func (g *guard) exceeded(seen []slots.Slot) bool {
	unread := false
	for _, s := range seen {
		if g.limit > 0 && s.Name == g.slot && !s.Active && s.RetainedBytes != nil && *s.RetainedBytes > g.limit {
			unread = true
		}
	}
	twice := unread && g.unread
	g.unread = unread
	return twice
}

// Everything that makes the slot Tidemark's, unread and too big is asked for
// in the statement that drops it. Somebody who connects in between wins: the
// server refuses to drop a slot that is in use.
const dropUnread = `SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn)::int8,
       pg_catalog.pg_drop_replication_slot(s.slot_name)::text
  FROM pg_catalog.pg_replication_slots s
 WHERE s.slot_name = $1 AND s.slot_type = 'logical' AND s.plugin = 'pgoutput' AND s.database = pg_catalog.current_database()
   AND NOT s.temporary AND NOT s.active
   AND pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn) > $2::int8`

const codeObjectInUse = "55006"

// drop drops the slot if it still must go, and tells how much it kept.
func (g *guard) drop(ctx context.Context, conn *pgx.Conn) (kept int64, dropped bool, err error) {
	var nothing string
	err = conn.QueryRow(ctx, dropUnread, g.slot, g.limit).Scan(&kept, &nothing)
	var refused *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrNoRows), errors.As(err, &refused) && refused.Code == codeObjectInUse:
		return 0, false, nil
	case err != nil:
		return 0, false, fmt.Errorf("ask the server: %w", err)
	}
	return kept, true, nil
}

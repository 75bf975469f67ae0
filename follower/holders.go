package follower

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/fence"
)

// maxHeldBy bounds how many holders are named.
const maxHeldBy = 100

// standing is how long an id must be unsettled before its holders are named:
// every transaction holds something for a moment.
const standing = 50 * time.Millisecond

// nameHolders finds out who holds positions back, where something does. It is
// asked apart from the probe: pg_stat_activity is cached within a transaction,
// and shows state and age of other roles' backends to pg_read_all_stats only.
func (w *warden) nameHolders(ctx context.Context) error {
	for _, s := range w.streams {
		l := s.life.Load()
		l.mu.Lock()
		holders := append([]fence.Holder(nil), l.mu.holders...)
		held := !l.mu.unsettled.IsZero() && time.Since(l.mu.unsettled) > standing
		l.mu.Unlock()
		if !held {
			continue
		}
		behind := w.readers.behind(l)
		if s.announced() {
			l.hold(append(behind, l.lagging()...))
			continue
		}
		named, err := w.name(ctx, holders)
		if err != nil {
			return err
		}
		l.hold(append(behind, named...))
	}
	return nil
}

// hold shows who holds the position back, unless it has moved on meanwhile.
func (l *life) hold(by []Holder) {
	l.mu.Lock()
	first := len(l.mu.heldBy) == 0
	if l.mu.unsettled.IsZero() {
		by = nil
	}
	l.mu.heldBy = by
	l.mu.Unlock()
	if first && len(by) > 0 {
		l.of.tell()
	}
}

// Whoever has ended between the probe and this query is not named.
const whoHolds = `SELECT a.pid, NULL::text, a.application_name, a.usename::text, a.state, a.xact_start
	FROM pg_stat_activity a WHERE a.pid = ANY($1::int4[])
UNION ALL
SELECT NULL, p.gid, NULL, p.owner::text, 'prepared', p.prepared
	FROM pg_locks l JOIN pg_prepared_xacts p ON p.transaction = l.transactionid
	WHERE l.locktype = 'transactionid' AND l.granted AND l.virtualtransaction = ANY($2::text[])
ORDER BY 6 NULLS LAST LIMIT $3`

func (w *warden) name(ctx context.Context, holders []fence.Holder) ([]Holder, error) {
	pids, prepared := []int32{}, []string{}
	for _, h := range holders {
		if h.PID != 0 {
			pids = append(pids, h.PID)
		} else {
			prepared = append(prepared, h.VXID.String())
		}
	}
	ctx, cancel := w.ask(ctx)
	defer cancel()
	rows, err := w.conn.Query(ctx, whoHolds, pids, prepared, maxHeldBy)
	if err != nil {
		return nil, fmt.Errorf("ask who holds positions back: %w", err)
	}
	named, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Holder, error) {
		var h Holder
		err := row.Scan(&h.PID, &h.GID, &h.ApplicationName, &h.User, &h.State, &h.Since)
		return h, err
	})
	if err != nil {
		return nil, fmt.Errorf("ask who holds positions back: %w", err)
	}
	return named, nil
}

package session

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// lookAtWriters is how often it is asked whom the making of a slot waits for,
// the first time after as long: most are made at once.
const lookAtWriters = time.Second

// tellWaits has the receiver told whom the making of the slot waits for, until
// it is stopped: for hours, perhaps, with an old transaction.
func (s *session) tellWaits(ctx context.Context) (stop func()) {
	made, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		look := time.NewTicker(lookAtWriters)
		defer look.Stop()
		for said := ""; ; {
			s.hasten(ctx)
			select {
			case <-made:
				return
			case <-ctx.Done():
				return
			case <-look.C:
			}
			if writers := s.writing(ctx); writers != "" && writers != said {
				said = writers
				s.Receiver.Phase(s.making(writers))
			}
		}
	}()
	return func() { close(made); <-ended }
}

// writing names up to five transactions that have an xid, the oldest first; ""
// where it cannot be told: the slot is made all the same. pg_locks shows them to
// every role, prepared ones too.
func (s *session) writing(ctx context.Context) string {
	ctx, cancel := s.ask(ctx)
	defer cancel()
	rows, err := s.sql.Query(ctx, `
		SELECT coalesce('prepared transaction ' || quote_literal(p.gid), 'pid ' || l.pid)
		       || coalesce(' (' || nullif(a.application_name, '') || ')', '') || coalesce(' of ' || a.usename, ' of ' || p.owner, '')
		FROM pg_catalog.pg_locks l
		LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
		LEFT JOIN pg_catalog.pg_prepared_xacts p ON l.pid IS NULL AND p.transaction = l.transactionid
		WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted
		ORDER BY coalesce(p.prepared, a.xact_start) NULLS LAST, l.pid LIMIT 5`)
	if err != nil {
		return ""
	}
	writers, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return ""
	}
	return strings.Join(writers, ", ")
}

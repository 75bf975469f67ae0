package session

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// lookAtWriters is how often it is asked whom the making of a slot waits for,
// the first time after as long: most are made at once.
const lookAtWriters = time.Second

// tellWaits has the receiver told whom the making of the slot waits for, until
// it is stopped: for hours, perhaps, with an old transaction. Where the server
// cannot be heard any more, or has made the slot and its answer was lost, the
// session ends with the reason.
func (s *session) tellWaits(ctx context.Context) (stop func()) {
	made, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		look := time.NewTicker(lookAtWriters)
		defer look.Stop()
		idle := 0
		for said := ""; ; {
			s.hasten(ctx)
			select {
			case <-made:
				return
			case <-ctx.Done():
				return
			case <-look.C:
			}
			making, writers, err := s.writing(ctx)
			if idle++; making {
				idle = 0
			}
			switch {
			case err != nil && s.sql.IsClosed():
				s.lose(fmt.Errorf("ask whom it waits for: %w", err))
				return
			case err == nil && idle == answerLost:
				s.lose(errAnswerLost)
				return
			case writers != "" && writers != said:
				said = writers
				s.Receiver.Phase(s.making(writers))
			}
		}
	}()
	return func() { close(made); <-ended }
}

// answerLost is how many looks find the walsender idle before its answer is
// taken for lost.
const answerLost = 3

var errAnswerLost = errors.New("the server has ended the command, and its answer did not arrive: the connection is dead")

// writing tells whether our walsender still makes the slot, and names up to five
// transactions that have an xid, the oldest first; "" where it cannot be told: the
// slot is made all the same. pg_locks shows them to every role, prepared ones too.
func (s *session) writing(ctx context.Context) (making bool, writers string, err error) {
	ctx, cancel := s.ask(ctx)
	defer cancel()
	err = s.sql.QueryRow(ctx, `
		SELECT ($1::int4 IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE pid = $1 AND state IS DISTINCT FROM 'idle')),
		coalesce(string_agg(t.who, ', ' ORDER BY t.n), '') FROM (SELECT row_number() OVER (ORDER BY coalesce(p.prepared, a.xact_start) NULLS LAST, l.pid) AS n,
		       coalesce('prepared transaction ' || quote_literal(p.gid), 'pid ' || l.pid)
		       || coalesce(' (' || nullif(a.application_name, '') || ')', '') || coalesce(' of ' || a.usename, ' of ' || p.owner, '') AS who
		FROM pg_catalog.pg_locks l
		LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
		LEFT JOIN pg_catalog.pg_prepared_xacts p ON l.pid IS NULL AND p.transaction = l.transactionid
		WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted
		ORDER BY 1 LIMIT 5) t`, s.walsender()).Scan(&making, &writers)
	return making, writers, err
}

// walsender is the pid of ours where the SQL session can see it; else nil.
func (s *session) walsender() *int32 {
	if s.Standby != nil {
		return nil
	}
	pid := int32(s.repl.PID())
	return &pid
}

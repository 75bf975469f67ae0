package session

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tidemark-pg/tidemark/follower/internal/human"
	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

const (
	// tellSkipping is how often it is told for how long the slot has been
	// skipping, the first time after as long: most are done by then.
	tellSkipping = time.Second
	// logSkipping is how often it is worth a line of the log.
	logSkipping = 10 * time.Second
)

// skip advances the slot beyond all that is on disk. A position needs no
// history, and the server passes a backlog far faster than it sends it. It
// also passes what cannot be decoded any more. RULES 10.
func (s *session) skip(ctx context.Context, lag int64) error {
	began := time.Now()
	defer s.tellSkip(ctx, lag, began)()
	// Twice: the first time the place from which the server reads goes no
	// further than the first of the running-xacts records (one in 15 s) that it
	// passes, and it would decode all that follows once more before it sends
	// anything. The second time each of them counts.
	// (LogicalIncreaseRestartDecodingForSlot in PostgreSQL's logical.c.)
	for range 2 {
		err := s.attended(ctx, func() error {
			_, err := s.sql.Exec(ctx, "SELECT pg_replication_slot_advance($1, pg_current_wal_flush_lsn())", s.Slot.Name)
			return err
		})
		// Nothing to skip is no failure: the slot is already there.
		if err != nil && !strings.Contains(server.OneLine(err), "minimum is") {
			return s.explain(ctx, "advance slot", err)
		}
	}
	s.Log.Info("slot skipped ahead", "slot", s.Slot.Name, "wal", human.Size(lag), "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// tellSkip tells the receiver that the slot skips, and for how long it has,
// until it is stopped. How far it is the server shows nowhere: a slot moves
// when its advance has ended (pg_logical_replication_slot_advance in PostgreSQL's
// slotfuncs.c, since 17 LogicalSlotAdvanceAndCheckSnapState in logical.c).
func (s *session) tellSkip(ctx context.Context, lag int64, began time.Time) (stop func()) {
	words := fmt.Sprintf("slot %q skips %s of WAL", s.Slot.Name, human.Size(lag))
	s.Receiver.Phase(Phase{Step: Skipping, Detail: words})
	skipped, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		look := time.NewTicker(tellSkipping)
		defer look.Stop()
		for logged := began; ; {
			select {
			case <-skipped:
				return
			case <-ctx.Done():
				return
			case now := <-look.C:
				again := now.Sub(logged) < logSkipping
				if !again {
					logged = now
				}
				s.Receiver.Phase(Phase{Step: Skipping, Detail: words + ", for " + human.Duration(now.Sub(began)) + " so far", Again: again})
			}
		}
	}()
	return func() { close(skipped); <-ended }
}

package rows

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark-pg/tidemark/internal/bench/bed"
	"github.com/tidemark-pg/tidemark/internal/bench/contest"
)

// backlog is WAL that waits in a slot, which is kept as it is: each run reads a
// copy of it.
type backlog struct {
	db   *bed.Database
	rows int
	end  string // LSN behind the last row
	slot string
	runs int
}

// newBacklog makes a database and writes rows into it, so many a transaction.
func newBacklog(ctx context.Context, s *contest.Stage, name string, rows, perTransaction int) (*backlog, error) {
	db, err := s.Database(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := db.MakeEvents(ctx); err != nil {
		return nil, err
	}
	transactions := max(1, rows/perTransaction/parts)
	b := &backlog{db: db, slot: name, rows: parts * transactions * perTransaction}
	if err := db.Exec(ctx, "SELECT pg_create_logical_replication_slot('"+name+"', 'pgoutput')"); err != nil {
		return nil, err
	}
	for range parts {
		if err := b.write(ctx, transactions, perTransaction); err != nil {
			return nil, fmt.Errorf("write the backlog: %w", err)
		}
	}
	b.end, err = bed.Ask[string](ctx, db, "SELECT pg_current_wal_flush_lsn()::text")
	return b, err
}

// fill writes rows in transactions; the parameters are how many transactions
// and rows in each.
const fill = `DO $$ BEGIN FOR i IN 1..%d LOOP
	INSERT INTO events (instance_name, payload)
	SELECT 'writer-' || i %% 8, 'forty bytes of whatever an event carries' FROM generate_series(1, %d);
	COMMIT;
END LOOP; END $$`

// flush makes what was committed before durable.
const flush = "SELECT pg_logical_emit_message(true, 'bench', '')"

// parts of a backlog. Behind each is a record of the transactions that run, as
// the server writes it once in 15 s, and with each checkpoint: a slot that skips
// ahead is read from the last one on.
const parts = 4

// write has two sessions write half of a part's transactions each.
func (b *backlog) write(ctx context.Context, transactions, perTransaction int) error {
	writers, writing := errgroup.WithContext(ctx)
	for _, n := range []int{transactions / 2, transactions - transactions/2} {
		writers.Go(func() error {
			return b.db.Exec(writing, "SET synchronous_commit = off", fmt.Sprintf(fill, n, perTransaction),
				"SET synchronous_commit = on", flush)
		})
	}
	if err := writers.Wait(); err != nil {
		return err
	}
	return b.db.Exec(ctx, "CHECKPOINT")
}

// copySlot makes a slot that stands where the backlog begins. drop takes it
// away again.
func (b *backlog) copySlot(ctx context.Context) (name string, drop func() error, err error) {
	b.runs++
	name = fmt.Sprintf("%s_%d", b.slot, b.runs)
	err = b.db.Exec(ctx, fmt.Sprintf("SELECT pg_copy_logical_replication_slot('%s', '%s')", b.slot, name))
	return name, func() error { return dropSlot(ctx, b.db, name) }, err
}

// dropSlot drops a slot, in spite of a walsender whose client has gone and that
// may still be sending to nobody.
func dropSlot(ctx context.Context, db *bed.Database, name string) error {
	return db.Exec(context.WithoutCancel(ctx),
		"SELECT pg_terminate_backend(active_pid, 60000) FROM pg_replication_slots WHERE active AND slot_name = '"+name+"'",
		"SELECT pg_drop_replication_slot('"+name+"')")
}

// onCopy runs fn on a copy of the slot.
func (b *backlog) onCopy(ctx context.Context, fn func(slot string) error) error {
	slot, drop, err := b.copySlot(ctx)
	if err != nil {
		return err
	}
	return errors.Join(fn(slot), drop())
}

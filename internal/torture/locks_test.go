package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// locks are faults that only take locks.
func locks() []kind {
	hold := func(sql func(*world, *rand.Rand) string, longest time.Duration) func(context.Context, *world, *rand.Rand) error {
		return func(ctx context.Context, w *world, rnd *rand.Rand) error {
			statement := sql(w, rnd)
			return w.on(ctx, func(conn *pgx.Conn) error {
				_, err := conn.PgConn().Exec(ctx, "BEGIN; "+statement).ReadAll()
				w.pause(ctx, some(rnd, longest))
				return err
			})
		}
	}
	return []kind{
		{name: "many locks", quick: true, beside: true, bring: hold(func(*world, *rand.Rand) string {
			return "SELECT pg_advisory_xact_lock(n) FROM generate_series(1, 8000) n"
		}, 2*time.Second)},
		{name: "sequence locked", beside: true, bring: hold(func(w *world, rnd *rand.Rand) string {
			s, _ := w.anyTable(rnd)
			return "ALTER SEQUENCE " + s.sequence + " SET LOGGED"
		}, 2*time.Second)},
		{name: "transaction left open", quick: true, beside: true, fits: transactional, bring: leaveOpen},
		{name: "sequence looked at", beside: true, bring: hold(func(*world, *rand.Rand) string { return "SELECT * FROM pg_sequences" }, time.Second)},
	}
}

// transactional are the streams whose ids are drawn in the transaction.
func (w *world) transactional() []*stream {
	return slices.DeleteFunc(slices.Clone(w.streams), func(s *stream) bool { return s.announced })
}

func transactional(w *world) bool { return len(w.transactional()) > 0 }

// leaveOpen has a transaction draw an id and then do nothing for long, idle or
// prepared, before it ends. (Writers of announced streams would stand still.)
func leaveOpen(ctx context.Context, w *world, rnd *rand.Rand) error {
	all := w.transactional()
	s := all[rnd.IntN(len(all))]
	begin := fmt.Sprintf("BEGIN; INSERT INTO %s (instance_name) VALUES ('open')", s.tables[0].name)
	end := []string{"COMMIT", "ROLLBACK"}[rnd.IntN(2)]
	if rnd.IntN(2) == 0 {
		gid := fmt.Sprintf("'open-%d'", rnd.Uint32())
		begin += "; PREPARE TRANSACTION " + gid
		end += " PREPARED " + gid
	}
	return w.on(ctx, func(conn *pgx.Conn) error {
		_, err := conn.PgConn().Exec(ctx, begin).ReadAll()
		w.pause(ctx, some(rnd, 4*time.Second))
		if err == nil {
			_, err = conn.Exec(ctx, end)
		}
		return err
	})
}

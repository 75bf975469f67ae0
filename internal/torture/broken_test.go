package torture

import (
	"context"
	"testing"
	"time"
)

// broken is a reader that takes something else for the position.
type broken struct {
	*book
	session
	sql string // asks for it, counted away from zero
}

func (r *broken) run(ctx context.Context) {
	defer r.close()
	for ctx.Err() == nil {
		if err := r.once(ctx); err != nil && !expected(err) && ctx.Err() == nil {
			r.w.fail("%s: %v", r.name, err)
			return
		}
		r.w.pause(ctx, readPause)
	}
}

func (r *broken) once(ctx context.Context) error {
	conn, _, err := r.get(ctx, r.w.primary.Load())
	if err != nil {
		return err
	}
	var p int64
	if err := conn.QueryRow(ctx, r.sql).Scan(&p); err != nil {
		return err
	}
	after := r.at("the only one", p)
	rows, err := rowsBetween(ctx, conn, r.s, after, p)
	if err != nil {
		return err
	}
	r.read("the only one", rows, p)
	return nil
}

func (r *broken) verify(ctx context.Context, end int64) { r.verifyAt(ctx, end) }

// The machine catches readers that trust the newest id that they see, or the
// newest that was drawn: without this, no miss would mean nothing.
func TestBrokenReadersAreCaught(t *testing.T) {
	t.Parallel()
	tally := newTally()
	w := newWorld(t, 1, 0, tally, plan{roles: []role{alone}})
	w.control = true
	missing := make(map[string][]*book)
	w.run(time.Second, func() (all []reader) {
		for _, s := range w.streams {
			for name, sql := range map[string]string{
				"newest visible": "SELECT coalesce(max(id), 0) FROM (" + s.union("abs(id::bigint) AS id", "true") + ") t",
				"allocated":      "SELECT last_value FROM " + s.sequence,
			} {
				b := newBook(w, name+" "+s.name, s)
				missing[name] = append(missing[name], b)
				all = append(all, &broken{book: b, sql: sql})
			}
		}
		return all
	})
	for name, books := range missing {
		n := int64(0)
		for _, b := range books {
			n += b.missing
		}
		t.Logf("%s: %d rows missed", name, n)
		if n == 0 {
			t.Errorf("a reader that takes the %s id for the position missed none of %d rows", name, tally.compared.Load())
		}
	}
}

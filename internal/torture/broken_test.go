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
	for name, sql := range map[string]func(*stream) string{
		"newest visible": func(s *stream) string {
			return "SELECT coalesce(max(id), 0) FROM (" + s.union("abs(id::bigint) AS id", "true") + ") t"
		},
		"allocated": func(s *stream) string { return "SELECT last_value FROM " + s.sequence },
	} {
		t.Run(name, func(t *testing.T) {
			tally := newTally()
			w := newWorld(t, 1, 0, tally, []role{alone})
			w.control = true
			w.run(time.Second, nil, func() (all []reader) {
				for _, s := range w.streams {
					all = append(all, &broken{book: newBook(w, name+" "+s.name, s), sql: sql(s)})
				}
				return all
			})
			t.Logf("%d of %d rows missed", tally.misses.Load(), tally.compared.Load())
			if tally.misses.Load() == 0 {
				t.Errorf("a reader that takes the %s id for the position missed none of %d rows", name, tally.compared.Load())
			}
		})
	}
}

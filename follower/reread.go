package follower

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

// rereadAgain is how soon a missing row is looked for once more: a deletion
// that the slot tells of arrives meanwhile.
const rereadAgain = time.Second

// errRowsGone ends a session, so that what is stored is loaded anew.
var errRowsGone = errors.New("rows of the positions table are gone, and the slot did not tell of it (TRUNCATE?): loading anew")

// reread looks whether the writers that hold announced positions are still in
// the table: a TRUNCATE of it is not published, and theirs would hold P back for
// ever. Nothing is concluded from what is read but that loading is needed; only
// the order of a load makes readings safe (RULES 18, 20).
func (w *warden) reread(ctx context.Context, g *footing) error {
	before := w.missing
	w.missing = make(map[missingWriter]bool)
	if g.positions() == nil || w.cfg.Slot.Kind == SlotNone {
		return nil
	}
	confirmed := false
	for _, s := range w.streams {
		if !s.announced() {
			continue
		}
		l := s.life.Load()
		names := l.registered() // before the snapshot of the query
		there, err := w.stored(ctx, g, s.name)
		if server.Code(err) == server.CodeLockNotAvailable {
			return nil // the next look will tell
		}
		if err != nil {
			return err
		}
		for _, name := range names {
			if !there[name] {
				w.missing[missingWriter{l, name}] = true
				confirmed = confirmed || before[missingWriter{l, name}]
			}
		}
	}
	switch {
	case confirmed:
		request(w.reload)
		w.missing = nil
	case len(w.missing) > 0:
		time.AfterFunc(rereadAgain, func() { request(w.review) })
	}
	return nil
}

// missingWriter is a writer that is known in a life and was not in the table.
type missingWriter struct {
	life *life
	name string
}

// registered names the writers that have a position.
func (l *life) registered() (names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, r := range l.mu.writers {
		if r.in {
			names = append(names, name)
		}
	}
	return names
}

// stored are the writers that the table holds of a stream.
func (w *warden) stored(ctx context.Context, g *footing, stream string) (map[string]bool, error) {
	ctx, cancel := w.ask(ctx)
	defer cancel()
	rows, err := w.conn.Query(ctx, "SELECT coalesce(instance_name::text, '') FROM "+g.catalog.Positions.QuotedName+
		" WHERE stream_name::text = $1", stream)
	if err == nil {
		var names []string
		if names, err = pgx.CollectRows(rows, pgx.RowTo[string]); err == nil {
			there := make(map[string]bool, len(names))
			for _, name := range names {
				there[name] = true
			}
			return there, nil
		}
	}
	return nil, fmt.Errorf("read the positions of stream %q again: %w", stream, err)
}

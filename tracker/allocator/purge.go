package allocator

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// purge removes rows of writers that Config.Writers does not name, in the only
// safe order: take the name as a starting writer does, wait until everything has
// ended that its former owner may have left open, delete the row. A name that is
// in use stays. RULES 18.
type purge struct {
	conn  *pgx.Conn // holds the names' leases
	names []string
	wait  *drain
}

// beginPurge takes the names that are to go, and removes their rows at once if
// nothing is open.
func (a *Allocator) beginPurge(ctx context.Context) error {
	if len(a.cfg.Writers) == 0 || !a.cfg.keepsPositions() {
		return nil
	}
	var stale []string
	rows, err := a.db.pool.Query(ctx, a.db.positions, a.cfg.Stream)
	if err != nil {
		return fmt.Errorf("look for writers that are not listed: %w", err)
	}
	var name string
	_, err = pgx.ForEachRow(rows, []any{&name, nil}, func() error {
		if !slices.Contains(a.cfg.Writers, name) {
			stale = append(stale, name)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for writers that are not listed: %w", err)
	}
	if len(stale) == 0 {
		return nil
	}
	if err := a.takeNames(ctx, stale); err != nil {
		return fmt.Errorf("take the names of writers that are not listed: %w", err)
	}
	return a.goOnPurging(ctx)
}

func (a *Allocator) takeNames(ctx context.Context, stale []string) error {
	conn, err := connect(ctx, a.db.pool)
	if err != nil {
		return err
	}
	p := &purge{conn: conn, wait: openDrain()}
	for _, name := range stale {
		err := lock(ctx, conn, a.cfg.Stream, name, 0)
		var held *HeldError
		switch {
		case err == nil:
			p.names = append(p.names, name)
		case errors.As(err, &held):
			a.log.WarnContext(ctx, "a writer that is not listed is at work, its position counts", "writer", name, "pid", held.PID)
		default:
			closeSoon(conn)
			return err
		}
	}
	a.purge = p
	return nil
}

// goOnPurging removes the rows if nothing is open any more.
func (a *Allocator) goOnPurging(ctx context.Context) error {
	p := a.purge
	if p == nil {
		return nil
	}
	if len(p.names) == 0 || p.conn.IsClosed() { // then the next start tries again
		p.close()
		a.purge = nil
		return nil
	}
	ended, err := p.wait.look(ctx, p.conn)
	if err != nil || !ended {
		return err
	}
	rows, err := p.conn.Query(ctx, a.db.remove, a.cfg.Stream, p.names)
	if err != nil {
		return fmt.Errorf("remove writers that are not listed: %w", err)
	}
	removed, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("remove writers that are not listed: %w", err)
	}
	for _, name := range removed {
		a.tracker.Forget(name) // while nobody can register under the name
		a.log.InfoContext(ctx, "removed the position of a writer that is not listed", "writer", name)
	}
	p.close()
	a.purge = nil
	return nil
}

// close gives the names back; of a nil purge it does nothing.
func (p *purge) close() {
	if p != nil {
		closeSoon(p.conn)
	}
}

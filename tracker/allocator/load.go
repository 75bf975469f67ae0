package allocator

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/tracker"
	"github.com/tidemark-pg/tidemark/tracker/allocator/internal/ledger"
)

// loader reads the stream's state from the tables. RULES 20.
type loader struct {
	mu     sync.Mutex // held through a load: two at a time would see different things
	wait   *drain     // who was writing positions when the last load began; nil when nobody
	others ledger.Others
}

// pageRows is how many rows of the stream are read at a time: they are all
// that is kept of it.
const pageRows = 50_000

// Refresh reads the positions table again, and the rows beyond P, and hands on
// what it finds: where nothing else tells of the other writers, or some of it
// may have been lost. Writers whose row has gone leave the minimum.
//
// First it looks how far the sequence has gone, and who is writing positions:
// while one of those is at it, a registration may be unseen, and the minimum is
// taken no further than the sequence was; then everything is read once more, in
// the background. RULES 20.
func (a *Allocator) Refresh(ctx context.Context) error {
	a.loader.mu.Lock()
	defer a.loader.mu.Unlock()
	if err := a.refresh(ctx); err != nil {
		return fmt.Errorf("load stream %q: %w", a.cfg.Stream, err)
	}
	return nil
}

func (a *Allocator) refresh(ctx context.Context) error {
	r, err := a.read(ctx, a.db.pool)
	if err != nil {
		return err
	}
	var writing *drain
	if a.cfg.keepsPositions() {
		writing = holdersDrain(a.db.stored)
		ended, err := writing.look(ctx, a.db.pool)
		if err != nil {
			return err
		}
		if ended {
			writing = nil
		}
	}
	positions, history, err := a.db.readPositions(ctx)
	if err != nil {
		return err
	}
	if err := a.sameHistory(history); err != nil {
		return err
	}
	if err := a.db.keep(ctx); err != nil {
		return err
	}
	if writing != nil {
		a.tracker.Cap(a.cfg.outward(r.last))
	}
	a.applyPositions(positions)
	if writing == nil {
		a.tracker.Uncap()
	}
	a.loader.wait = writing
	return a.loadRows(ctx, positions)
}

// applyPositions tells the tracker of all positions at once: RULES 16.
func (a *Allocator) applyPositions(positions map[string]int64) {
	a.tracker.Apply(a.loader.others.Read(positions, a.cfg.outward))
	for _, position := range positions {
		a.noteOther(a.cfg.outward(position))
	}
}

// standing looks whether those who were writing positions have ended, and
// reports whether everything is to be read once more.
func (l *loader) standing(ctx context.Context, a *Allocator) (again bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wait == nil {
		return false, nil
	}
	ended, err := l.wait.look(ctx, a.db.pool)
	return ended, err
}

func (l *loader) waits() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wait != nil
}

// readPositions returns the writers' positions as the sequence counts: stored
// ones, or their newest rows where none are stored; and the history of the
// server that they are on.
func (db *database) readPositions(ctx context.Context) (positions map[string]int64, history string, err error) {
	query, args := db.positions, []any{db.cfg.Stream}
	if !db.cfg.keepsPositions() {
		query, args = db.newest, nil
	}
	positions = make(map[string]int64)
	b := &pgx.Batch{}
	b.Queue(query, args...).Query(func(rows pgx.Rows) error {
		var name string
		var position int64
		_, err := pgx.ForEachRow(rows, []any{&name, &position}, func() error {
			positions[name] = max(positions[name], db.cfg.inward(position), 0)
			return nil
		})
		return err
	})
	b.Queue(histories).QueryRow(into(&history))
	if err := db.pool.SendBatch(ctx, b).Close(); err != nil {
		return nil, "", fmt.Errorf("read positions: %w", err)
	}
	return positions, history, nil
}

// loadRows reads the rows beyond the minimum. While a listed writer has no
// position the minimum is 0, and a run from P is all that can move it: then the
// rows from there to the first gap are read, and those beyond the others'
// minimum, not the stream's whole history.
func (a *Allocator) loadRows(ctx context.Context, positions map[string]int64) error {
	from := a.cfg.inward(a.tracker.CurrentToken())
	least, some := int64(math.MaxInt64), false
	for _, position := range positions {
		least, some = min(least, position), true
	}
	if !some || least > from {
		if err := a.readRun(ctx, from, true); err != nil {
			return err
		}
	}
	if !some {
		return nil
	}
	return a.readRun(ctx, max(least, a.cfg.inward(a.tracker.CurrentToken())), false)
}

// readRun observes the rows beyond from, in the order of their ids; the first
// gap ends it if toGap.
func (a *Allocator) readRun(ctx context.Context, from int64, toGap bool) error {
	query := a.db.page()
	if query == "" {
		return nil
	}
	ids := make([]int64, 0, 1024)
	for {
		last := from
		page, err := a.db.readPage(ctx, query, from, ids)
		if err != nil {
			return err
		}
		if err := a.db.keep(ctx); err != nil {
			return err
		}
		events, gap := a.runs(page, &last)
		a.tracker.Apply(events)
		if len(page) < pageRows || toGap && gap {
			return nil
		}
		from, ids = last, page[:0]
	}
}

// runs makes ranges of ascending ids, the first of which would follow on last.
// It leaves the highest id in last, and reports whether there is a gap.
func (a *Allocator) runs(ids []int64, last *int64) (events []tracker.Event, gap bool) {
	first := *last + 1
	flush := func() {
		if *last >= first {
			events = append(events, tracker.Event{
				Verb: tracker.VerbObserve, From: a.cfg.outward(first), To: a.cfg.outward(*last),
			})
		}
	}
	for _, id := range ids {
		if id > *last+1 {
			flush()
			first, gap = id, true
		}
		*last = max(*last, id)
	}
	flush()
	return events, gap
}

func (db *database) readPage(ctx context.Context, query string, from int64, ids []int64) ([]int64, error) {
	rows, err := db.pool.Query(ctx, query, db.cfg.outward(from), pageRows)
	if err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	var id int64
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error {
		ids = append(ids, db.cfg.inward(id))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	return ids, nil
}

// page is a statement that reads the ids of the rows after $1, at most $2, in
// order. Each table is asked for itself, so that its index gives the order.
func (db *database) page() string {
	beyond, order := ">", ""
	if db.cfg.Descending {
		beyond, order = "<", " DESC"
	}
	var parts []string
	for _, t := range db.cfg.Tables {
		id := column(t.IDColumn)
		part := fmt.Sprintf("(SELECT %s::int8 AS id FROM %s WHERE %s %s $1::int8 ORDER BY %s%s LIMIT $2::int8)",
			id, t.Name, id, beyond, id, order)
		if !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts, " UNION ALL ") + " ORDER BY id" + order + " LIMIT $2::int8"
}

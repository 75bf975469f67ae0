package follower

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/fence"
	"github.com/tidemark-pg/tidemark/follower/internal/gate"
	"github.com/tidemark-pg/tidemark/tracker"
)

// admit decides what a batch of an announced stream means to the writers that
// are known, in its order, at the moment it is applied: what was loaded since
// the batch was decoded counts. It is called with l.applying held.
func (l *life) admit(b batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.lsn = max(l.mu.lsn, b.end)
	xids := b.withdrawals
	for i := range b.events {
		e := &b.events[i]
		switch e.Verb {
		case tracker.VerbAnnounce:
			l.mu.writers[e.Writer] = true
			delete(l.mu.withdrawn, e.Writer)
		case tracker.VerbForget:
			if !l.goneLocked(e.Writer, xids[0]) {
				e.Verb = 0 // changes nothing
			}
			xids = xids[1:]
		}
	}
}

// goneLocked notes that a writer's row was deleted by that transaction. It
// reports false where what was loaded had seen the deletion already: that knows
// better, for the writer may have registered again since. The snapshot of the
// load tells; a WAL position read beside it would not (RULES 20).
func (l *life) goneLocked(writer string, xid uint32) bool {
	if l.mu.loaded != nil && l.mu.loaded.Visible(xid) {
		return false
	}
	delete(l.mu.writers, writer)
	l.mu.withdrawn[writer] = xid
	return true
}

// lagging are the writers that hold an announced stream's position back: those
// that stand at it or below, listed ones without a row among them.
func (l *life) lagging() []Holder {
	p := l.position()
	positions := l.tracker.Positions()
	var names []string
	l.mu.Lock()
	for w := range l.mu.writers {
		if at, ok := positions[w]; ok && l.of.inward(at) <= p {
			names = append(names, w)
		}
	}
	for _, w := range l.of.cfg.Writers {
		if !l.mu.writers[w] {
			names = append(names, w)
		}
	}
	l.mu.Unlock()
	slices.Sort(names)
	names = slices.Compact(names)
	var by []Holder
	for _, w := range names[:min(len(names), maxHeldBy)] {
		by = append(by, Holder{Writer: &w})
	}
	return by
}

// loader reads what an announced stream has in the database, in the order of
// RULES 20: what is drawn, who may be registering, the positions, the rows.
type loader struct {
	*listener
	index int
	conn  *pgx.Conn
}

// first loads before the slot is read. Where somebody holds the lock of the
// positions table, a registration may be under way that is neither in what was
// read nor will be decoded: then the minimum counts only up to what had been
// drawn, and the transactions to wait for are returned.
func (o loader) first(ctx context.Context) (registering []string, err error) {
	drawn, err := o.drawn(ctx)
	if err != nil {
		return nil, err
	}
	if registering, err = o.registering(ctx); err != nil {
		return nil, err
	}
	l := o.lives[o.index]
	l.tracker.Cap(l.of.outward(drawn))
	if err := o.read(ctx, true); err != nil {
		return nil, err
	}
	if len(registering) == 0 {
		o.done(drawn)
	}
	return registering, nil
}

// done ends the cap. Where no writer is registered none has an id open: each
// registers before it first draws (RULES 15), and leaves after its last.
func (o loader) done(drawn int64) {
	l := o.lives[o.index]
	l.mu.Lock()
	nobody := len(l.mu.writers) == 0 && len(l.of.cfg.Writers) == 0
	l.mu.Unlock()
	if nobody {
		l.tracker.Settle(l.of.outward(drawn))
	}
	l.tracker.Uncap()
}

// second waits until all who may have been registering have ended, and then
// reads positions and rows again.
func (o loader) second(ctx context.Context, registering []string) error {
	drawn := int64(0)
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		var left int
		err := o.conn.QueryRow(ctx, `SELECT count(*) FROM pg_locks WHERE virtualtransaction = ANY($1::text[])
			AND locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted AND relation = $2`,
			registering, o.footing.catalog.Positions.OID).Scan(&left)
		if err != nil {
			return fmt.Errorf("wait for registrations: %w", err)
		}
		if left == 0 {
			break
		}
		sleep(ctx, pause)
	}
	if err := o.read(ctx, false); err != nil {
		return err
	}
	o.done(drawn)
	return nil
}

// drawn is the sequence's last value.
func (o loader) drawn(ctx context.Context) (int64, error) {
	g := o.footing
	p := fence.NewProber(o.conn, o.conn.PgConn().PID(), g.catalog.DatabaseOID, []fence.Target{g.targets()[o.index]})
	results, err := p.Peek(ctx, time.Now())
	if err == nil {
		err = results[0].Err
	}
	if err != nil {
		return 0, fmt.Errorf("load stream %q: %w", o.streams[o.index].name, err)
	}
	return results[0].Reading.Last, nil
}

func (o loader) registering(ctx context.Context) ([]string, error) {
	rows, err := o.conn.Query(ctx, `SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation'
		AND mode = 'RowExclusiveLock' AND granted AND virtualtransaction !~ '/0$'
		AND database = $1 AND relation = $2`, o.footing.catalog.DatabaseOID, o.footing.catalog.Positions.OID)
	if err != nil {
		return nil, fmt.Errorf("ask who may be registering: %w", err)
	}
	vxids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("ask who may be registering: %w", err)
	}
	return vxids, nil
}

// read loads the stored positions, and then the rows above the minimum.
func (o loader) read(ctx context.Context, first bool) error {
	return o.shown(ctx, o.conn, o.index, func() error {
		if err := o.positions(ctx, first); err != nil {
			return fmt.Errorf("load positions of stream %q: %w", o.streams[o.index].name, err)
		}
		if err := o.rows(ctx); err != nil {
			return fmt.Errorf("load rows of stream %q: %w", o.streams[o.index].name, err)
		}
		return nil
	})
}

// loaded is what was read of the positions table, and by which snapshot.
type loaded struct {
	snapshot  gate.Snapshot
	wal       pglogrepl.LSN // read after the snapshot was taken
	positions map[string]int64
}

// positions reads the table with the snapshot that it is read by: whatever else
// happens to it is in the one or comes through the slot.
func (o loader) positions(ctx context.Context, first bool) error {
	found, err := o.conn.Query(ctx, `SELECT pg_current_snapshot()::text, (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8,
		p.stream_name IS NOT NULL, coalesce(p.instance_name::text, ''), coalesce(p.stream_id, 0)::int8
		FROM (VALUES (1)) AS one LEFT JOIN `+o.footing.catalog.Positions.QuotedName+` AS p ON p.stream_name::text = $1`,
		o.streams[o.index].name)
	if err != nil {
		return err
	}
	got := loaded{positions: make(map[string]int64)}
	var snapshot, writer string
	var wal, id int64
	var there bool
	_, err = pgx.ForEachRow(found, []any{&snapshot, &wal, &there, &writer, &id}, func() error {
		if there {
			got.positions[writer] = id
		}
		return nil
	})
	if err != nil {
		return err
	}
	if got.snapshot, err = gate.ParseSnapshot(snapshot); err != nil {
		return err
	}
	got.wal = pglogrepl.LSN(wal)
	l := o.lives[o.index]
	l.applying.Lock()
	defer l.applying.Unlock()
	l.tracker.Apply(l.stored(got, first))
	return nil
}

// stored turns the positions that were read into events. On the first reading
// of a session nothing comes from the slot yet: who is not there is gone. Later
// the slot knows of whatever the reading's snapshot did not see. It is called
// with l.applying held.
func (l *life) stored(got loaded, first bool) []tracker.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.loaded = &got.snapshot
	l.mu.lsn = max(l.mu.lsn, got.wal)
	var events []tracker.Event
	if first {
		clear(l.mu.withdrawn)
		for w := range l.mu.writers {
			if _, there := got.positions[w]; !there {
				events = append(events, tracker.Event{Verb: tracker.VerbForget, Writer: w})
				delete(l.mu.writers, w)
			}
		}
	}
	for w, id := range got.positions {
		if xid, gone := l.mu.withdrawn[w]; gone && !got.snapshot.Visible(xid) {
			continue
		}
		delete(l.mu.withdrawn, w)
		l.mu.writers[w] = true
		events = append(events, tracker.Event{Verb: tracker.VerbAnnounce, Writer: w, To: id})
	}
	return events
}

// maxEvents is how many rows are given to the tracker at once.
const maxEvents = 1024

// rows observes the rows above the minimum, in the order of their ids, with
// bounded memory: the result is read as it arrives.
func (o loader) rows(ctx context.Context) error {
	l := o.lives[o.index]
	found, err := o.conn.Query(ctx, o.rowsAbove(), l.tracker.CurrentToken(), o.defaultWriters())
	if err != nil {
		return err
	}
	events := make([]tracker.Event, 0, maxEvents)
	var writer string
	var id, wal int64
	_, err = pgx.ForEachRow(found, []any{&writer, &id, &wal}, func() error {
		events = append(events, tracker.Event{Verb: tracker.VerbObserve, Writer: writer, From: id, To: id})
		if len(events) == maxEvents {
			l.found(events, pglogrepl.LSN(wal))
			events = events[:0]
		}
		return nil
	})
	if err != nil {
		return err
	}
	l.found(events, pglogrepl.LSN(wal))
	return nil
}

func (o loader) defaultWriters() []string {
	var names []string
	for _, t := range o.footing.catalog.Streams[o.index].Tables {
		names = append(names, t.Writer)
	}
	return names
}

// rowsAbove is the query for the rows of all tables beyond $1.
func (o loader) rowsAbove() string {
	c := o.footing.catalog.Streams[o.index]
	beyond, order := ">", "ASC"
	if c.Descending {
		beyond, order = "<", "DESC"
	}
	var arms []string
	for i, t := range c.Tables {
		instance := fmt.Sprintf("($2::text[])[%d]", i+1)
		if t.InstanceColumn != "" {
			instance = "coalesce(" + pgx.Identifier{t.InstanceColumn}.Sanitize() + "::text, '')"
		}
		id := pgx.Identifier{t.IDColumn}.Sanitize()
		arms = append(arms, fmt.Sprintf("SELECT %s AS w, %s::int8 AS id FROM %s WHERE %s %s $1::int8",
			instance, id, t.QuotedName, id, beyond))
	}
	return "SELECT w, id, " + walNow + " FROM (" + strings.Join(arms, " UNION ALL ") + ") r WHERE $2::text[] IS NOT NULL ORDER BY id " + order
}

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
	"github.com/tidemark-pg/tidemark/follower/internal/server"
	"github.com/tidemark-pg/tidemark/tracker"
)

// registration is what is known last of a writer of an announced stream.
type registration struct {
	in      bool   // it has a position
	decoded bool   // the slot told so, and not a load
	xid     uint32 // by this transaction
}

// admit decides what a batch of an announced stream means to the writers that
// are known, in its order, at the moment it is applied: what was loaded since
// the batch was decoded counts. It is called with l.applying held.
func (l *life) admit(b batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.lsn = max(l.mu.lsn, b.end)
	xids := b.xids
	for i := range b.events {
		e := &b.events[i]
		if e.Verb != tracker.VerbAnnounce && e.Verb != tracker.VerbForget {
			continue
		}
		// What was loaded had seen it, and knows better: since then the writer
		// may have gone, or have come back. The snapshot of the load tells; a
		// WAL position read beside it would not (RULES 20).
		if l.mu.loaded != nil && l.mu.loaded.Visible(xids[0]) {
			e.Verb = 0 // changes nothing
		} else {
			l.mu.writers[e.Writer] = registration{in: e.Verb == tracker.VerbAnnounce, decoded: true, xid: xids[0]}
		}
		xids = xids[1:]
	}
}

// registeredLocked counts the writers that have a position.
func (l *life) registeredLocked() (n int) {
	for _, w := range l.mu.writers {
		if w.in {
			n++
		}
	}
	return n
}

// lagging are the writers that hold an announced stream's position back: those
// that stand at it or below, listed ones without a row among them.
func (l *life) lagging() []Holder {
	p := l.position()
	positions := l.tracker.Positions()
	var names []string
	l.mu.Lock()
	for w, known := range l.mu.writers {
		if at, ok := positions[w]; ok && known.in && l.of.inward(at) <= p {
			names = append(names, w)
		}
	}
	for _, w := range l.of.cfg.Writers {
		if !l.mu.writers[w].in {
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

// loader asks a database for what an announced stream has in it.
type loader struct {
	*listener
	index int
	conn  *pgx.Conn
	// tell, unless nil, is told in words how far reading is, when it takes long.
	tell     func(words string)
	progress *progress
}

func (l *listener) loader(i int, conn *pgx.Conn, tell func(words string)) loader {
	return loader{l, i, conn, tell, new(progress)}
}

var _ tables = loader{}

func (o loader) first(ctx context.Context) (registering []string, err error) {
	registering, err = loading{o.lives[o.index], o}.first(ctx)
	return registering, o.lacks(err)
}

func (o loader) second(ctx context.Context, registering []string) error {
	return o.lacks(loading{o.lives[o.index], o}.second(ctx, registering))
}

func (o loader) shown(ctx context.Context, read func() error) error {
	return o.listener.shown(ctx, o.conn, o.index, func() error {
		if o.tell != nil {
			defer o.tellLoad(ctx, o.index, o.progress, o.tell)()
		}
		return read()
	})
}

func (o loader) writing(ctx context.Context, registering []string) (some bool, err error) {
	err = o.conn.QueryRow(ctx, `SELECT count(*) > 0 FROM pg_locks WHERE virtualtransaction = ANY($1::text[])
		AND locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted AND relation = $2`,
		registering, o.footing.catalog.Positions.OID).Scan(&some)
	if err != nil {
		return false, fmt.Errorf("wait for registrations: %w", err)
	}
	return some, nil
}

// published reads what is kept, which is a help and no condition: without a
// table that can be read the stream goes on without.
func (o loader) published(ctx context.Context) kept {
	s, l := o.streams[o.index], o.lives[o.index]
	if s.nonce.Load() == nil {
		return kept{} // it keeps none
	}
	table, err := o.quotedTable(ctx, o.conn)
	if err != nil {
		o.cfg.Logger.Debug("the position that is kept could not be read", "stream", s.name, "reason", server.OneLine(err))
		return kept{}
	}
	var position, lsn int64
	err = o.conn.QueryRow(ctx, `SELECT position, (lsn - '0/0'::pg_lsn)::int8 FROM `+table+`
		WHERE stream = $1 AND epoch = $2`, s.name, l.epoch).Scan(&position, &lsn)
	if err != nil { // another epoch is there, or the table cannot be read
		o.cfg.Logger.Debug("the position that is kept could not be read", "stream", s.name, "reason", server.OneLine(err))
		return kept{}
	}
	return kept{position: s.inward(position), lsn: pglogrepl.LSN(lsn), valid: true}
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

// positions reads the table with the snapshot that it is read by: whatever else
// happens to it is in the one or comes through the slot.
func (o loader) positions(ctx context.Context) (loaded, error) {
	got := loaded{positions: make(map[string]int64)}
	if err := o.readPositions(ctx, &got); err != nil {
		return loaded{}, fmt.Errorf("load positions of stream %q: %w", o.streams[o.index].name, err)
	}
	return got, nil
}

func (o loader) readPositions(ctx context.Context, got *loaded) error {
	found, err := o.conn.Query(ctx, `SELECT pg_current_snapshot()::text, (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8,
		p.stream_name IS NOT NULL, coalesce(p.instance_name::text, ''), coalesce(p.stream_id, 0)::int8
		FROM (VALUES (1)) AS one LEFT JOIN `+o.footing.catalog.Positions.QuotedName+` AS p ON p.stream_name::text = $1`,
		o.streams[o.index].name)
	if err != nil {
		return err
	}
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
	return nil
}

// stored turns the positions that were read into events. On the first reading
// of a session nothing comes from the slot yet: who is not there is gone. Later
// the slot may have told of what the reading's snapshot did not see. It is
// called with l.applying held.
func (l *life) stored(got loaded, first bool) []tracker.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.loaded = &got.snapshot
	l.mu.lsn = max(l.mu.lsn, got.wal)
	newer := func(w registration) bool { return !first && w.decoded && !got.snapshot.Visible(w.xid) }
	var events []tracker.Event
	for name, w := range l.mu.writers {
		if _, there := got.positions[name]; there || newer(w) {
			continue
		}
		if w.in {
			events = append(events, tracker.Event{Verb: tracker.VerbForget, Writer: name})
		}
		delete(l.mu.writers, name)
	}
	for name, id := range got.positions {
		if w := l.mu.writers[name]; newer(w) && !w.in {
			continue
		} else if !newer(w) {
			l.mu.writers[name] = registration{in: true}
		}
		events = append(events, tracker.Event{Verb: tracker.VerbAnnounce, Writer: name, To: id})
	}
	return events
}

// maxEvents is how many rows are given to the tracker at once.
const maxEvents = 1024

// rows uses bounded memory: the result is read as it arrives.
func (o loader) rows(ctx context.Context, above int64, tell func([]tracker.Event, pglogrepl.LSN)) error {
	found, err := o.conn.Query(ctx, o.rowsAbove(), above, o.defaultWriters())
	if err != nil {
		return fmt.Errorf("load rows of stream %q: %w", o.streams[o.index].name, err)
	}
	o.progress.begin(above)
	events := make([]tracker.Event, 0, maxEvents)
	var writer string
	var id, wal int64
	_, err = pgx.ForEachRow(found, []any{&writer, &id, &wal}, func() error {
		events = append(events, tracker.Event{Verb: tracker.VerbObserve, Writer: writer, From: id, To: id})
		if len(events) == maxEvents {
			o.progress.add(len(events), id)
			tell(events, pglogrepl.LSN(wal))
			events = events[:0]
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("load rows of stream %q: %w", o.streams[o.index].name, err)
	}
	o.progress.add(len(events), id)
	tell(events, pglogrepl.LSN(wal))
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

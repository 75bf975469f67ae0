package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/tail"
	"github.com/tidemark-pg/tidemark/internal/pgcluster"
)

// reader reads one stream for as long as a world lasts.
type reader interface {
	of() *stream
	run(ctx context.Context)
	// verify waits until everything up to the end has been read, and compares.
	verify(ctx context.Context, end int64)
}

// readPause is how long a reader rests, so that writers get on.
const readPause = 2 * time.Millisecond

// newReaders makes the readers of a world: of each follower and stream one on
// the primary; of the one whose positions are kept, one through a Tail, one by
// the tables of kept positions, and one on the standby that is read; of the
// daemons the same over HTTP.
func (w *world) newReaders() []reader {
	var all []reader
	for _, f := range w.followers {
		for _, s := range w.streams {
			primary := w.primary.Load
			all = append(all, &asking{book: newBook(w, f.name+" "+s.name, s), from: f, on: primary})
			if !f.kept() {
				continue
			}
			all = append(all,
				&tailing{book: newBook(w, "tail "+s.name, s), from: positions{f, s}, database: f.cfg.Database},
				&looking{book: newBook(w, "kept "+s.name, s), table: keptTable, on: primary})
			if len(w.daemons) > 0 {
				all = append(all,
					&looking{book: newBook(w, "kept by daemons "+s.name, s), table: daemonTable, on: primary},
					&asking{book: newBook(w, "remote "+s.name, s), from: w.distant, on: primary},
					&tailing{book: newBook(w, "remote tail "+s.name, s), from: w.distant.stream(s), database: f.cfg.Database})
			}
			if w.role != read {
				continue
			}
			standby := func() *pgcluster.Cluster { return w.standby }
			all = append(all,
				&asking{book: newBook(w, "standby "+s.name, s), from: f, on: standby, recovers: true},
				&asking{book: newBook(w, "remote standby "+s.name, s), from: w.distant, on: standby, recovers: true},
				&looking{book: newBook(w, "kept on standby "+s.name, s), table: keptTable, on: standby, recovers: true})
		}
	}
	for _, a := range w.allocate {
		all = append(all, &embedded{book: newBook(w, "allocator "+a.name+" "+a.s.name, a.s), by: a})
	}
	return all
}

// keptTable is where the permanent follower keeps its positions.
const keptTable = "tidemark_positions"

// session is a reader's connection, opened again where it is lost.
type session struct{ conn *pgx.Conn }

// get returns the connection; fresh tells that it is a new one.
func (x *session) get(ctx context.Context, c *pgcluster.Cluster) (conn *pgx.Conn, fresh bool, err error) {
	if x.conn != nil && !x.conn.IsClosed() {
		return x.conn, false, nil
	}
	x.conn, err = pgx.Connect(ctx, url(c, "reader"))
	return x.conn, true, err
}

func (x *session) close() {
	if x.conn != nil {
		_ = x.conn.Close(context.Background()) // its server may be gone
	}
}

// asking reads up to what a follower says.
type asking struct {
	*book
	session
	from     source
	on       func() *pgcluster.Cluster
	recovers bool // its server is a standby
}

func (r *asking) run(ctx context.Context) {
	defer r.close()
	for ctx.Err() == nil {
		err := r.once(ctx)
		if err != nil && !expected(err) && ctx.Err() == nil {
			r.w.fail("%s: %v", r.name, err)
			return
		}
		r.w.pause(ctx, readPause)
	}
}

func (r *asking) once(ctx context.Context) error {
	st := r.from.status(r.s)
	if !st.Known {
		return nil
	}
	p := r.s.outward(st.Position)
	after := r.at(st.Epoch, p)
	if after >= p {
		return nil
	}
	conn, fresh, err := r.get(ctx, r.on())
	if err != nil {
		return err
	}
	if fresh && r.recovers {
		// A standby that crashed comes back earlier than it was. RULES 14.
		if err := r.caughtUp(ctx, conn, st); err != nil {
			r.close()
			return err
		}
	}
	rows, err := rowsBetween(ctx, conn, r.s, after, p)
	if err != nil {
		return err
	}
	r.read(st.Epoch, rows, p)
	return nil
}

// errBehind: the standby does not yet show what the position covers.
var errBehind = errors.New("the standby is behind")

func (r *asking) caughtUp(ctx context.Context, conn *pgx.Conn, st follower.Status) error {
	var there bool
	err := conn.QueryRow(ctx, "SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn", st.LSN.String()).Scan(&there)
	if err == nil && !there {
		err = errBehind
	}
	return err
}

func (r *asking) verify(ctx context.Context, end int64) { r.verifyAt(ctx, end) }

// verifyAt waits for the reader, and compares on the primary.
func (b *book) verifyAt(ctx context.Context, end int64) {
	waiting, cancel := context.WithTimeout(ctx, endWithin)
	defer cancel()
	for b.position() < end {
		if waiting.Err() != nil {
			b.w.fail("%s: read up to %d only, of %d", b.name, b.position(), end)
			b.w.t.Log(b.w.keptRows(ctx))
			return
		}
		b.w.pause(waiting, pollPause)
	}
	err := b.w.on(ctx, func(conn *pgx.Conn) error {
		b.compare(ctx, conn)
		return nil
	})
	if err != nil {
		b.w.fail("%s: connect to compare: %v", b.name, err)
	}
}

// keptRows is what the tables of kept positions hold.
func (w *world) keptRows(ctx context.Context) (text string) {
	err := w.on(ctx, func(conn *pgx.Conn) error {
		rows, _ := conn.Query(ctx, "SELECT 'kept', t::text FROM "+keptTable+" t UNION ALL SELECT 'kept by daemons', t::text FROM "+daemonTable+
			" t UNION ALL SELECT application_name, concat_ws(' ', state, wait_event, now() - query_start, left(query, 60)) FROM pg_stat_activity WHERE application_name <> ''")
		var of, is string
		_, err := pgx.ForEachRow(rows, []any{&of, &is}, func() error {
			text += of + ": " + is + "\n"
			return nil
		})
		return err
	})
	if err != nil {
		text += err.Error()
	}
	return text + w.standing()
}

// looking reads by the table of kept positions alone, in one statement.
type looking struct {
	*book
	session
	table    string
	on       func() *pgcluster.Cluster
	recovers bool
}

func (r *looking) run(ctx context.Context) {
	defer r.close()
	for ctx.Err() == nil {
		err := r.once(ctx)
		if err != nil && !expected(err) && ctx.Err() == nil {
			r.w.fail("%s: %v", r.name, err)
			return
		}
		r.w.pause(ctx, 20*readPause)
	}
}

func (r *looking) once(ctx context.Context) error {
	conn, _, err := r.get(ctx, r.on())
	if err != nil {
		return err
	}
	// The position comes with the rows, so its epoch is known only afterwards.
	r.mu.Lock()
	epoch, after := r.epoch, r.last
	r.mu.Unlock()
	where := strings.ReplaceAll(r.s.between("id"), "$2::bigint", "abs((SELECT position FROM p))")
	rows, err := conn.Query(ctx, `WITH p AS MATERIALIZED (SELECT position, epoch FROM `+r.table+` WHERE stream = $2)
		SELECT abs(p.position), p.epoch, coalesce(t.id, 0), coalesce(t.token, 0), coalesce(t.lazy, false)
		FROM p LEFT JOIN (`+r.s.union("abs(id::bigint) AS id, token, lazy", where)+`) t ON true`, after, r.s.name)
	if err != nil {
		return err
	}
	return r.take(rows, epoch, after)
}

func (r *looking) take(found pgx.Rows, epoch string, after int64) error {
	var now string
	var p int64
	var all []row
	var one row
	_, err := pgx.ForEachRow(found, []any{&p, &now, &one.id, &one.token, &one.lazy}, func() error {
		if one.id > 0 {
			all = append(all, one)
		}
		return nil
	})
	if err != nil || now == "" {
		return err
	}
	if now == epoch && p < after && r.recovers {
		return nil // a standby that crashed comes back earlier than it was
	}
	r.at(now, p)
	if now == epoch { // of another one, the next look reads from the beginning
		r.read(now, all, p)
	}
	return nil
}

func (r *looking) verify(ctx context.Context, end int64) { r.verifyAt(ctx, end) }

// tailing reads through a Tail.
type tailing struct {
	*book
	from     tail.Positions
	database string
}

func (r *tailing) run(ctx context.Context) {
	for ctx.Err() == nil {
		t, err := tail.New(tail.Config{
			Stream: r.s.config(nil), Positions: r.from, Database: r.database,
		})
		if err != nil {
			r.w.fail("%s: %v", r.name, err)
			return
		}
		err = t.Run(ctx, func(_ context.Context, b tail.Batch) error { return r.take(b) })
		var epoch *follower.EpochError
		var unmet *follower.RequirementError
		switch {
		case ctx.Err() != nil:
		case errors.As(err, &epoch):
			r.turn("") // what it delivered was another history
		case errors.As(err, &unmet):
			// DDL is under way: it goes on where it was, when that is over.
			r.again(ctx)
		default:
			r.w.fail("%s: %v", r.name, err)
			return
		}
	}
}

// again lets the reader begin anew, from nothing.
func (r *tailing) again(ctx context.Context) {
	r.mu.Lock()
	r.epoch = "" // not over: the same one may go on
	r.mu.Unlock()
	r.w.pause(ctx, 100*time.Millisecond)
}

// take takes a batch: ids in order, none twice.
func (r *tailing) take(b tail.Batch) error {
	r.mu.Lock()
	if r.epoch != b.Epoch {
		r.turnLocked(b.Epoch)
	}
	r.mu.Unlock()
	after := r.at(b.Epoch, r.s.outward(b.Position))
	rows := make([]row, len(b.Rows))
	for i, found := range b.Rows {
		var columns struct {
			Token int64 `json:"token"`
			Lazy  bool  `json:"lazy"`
		}
		if err := json.Unmarshal(found.Columns, &columns); err != nil {
			return fmt.Errorf("read row %d: %w", found.ID, err)
		}
		rows[i] = row{id: r.s.outward(found.ID), token: columns.Token, lazy: columns.Lazy}
		if rows[i].id <= after {
			r.w.fail("%s: row %d came after %d", r.name, rows[i].id, after)
		}
		after = rows[i].id
	}
	r.read(b.Epoch, rows, r.s.outward(b.Position))
	return nil
}

func (r *tailing) verify(ctx context.Context, end int64) { r.verifyAt(ctx, end) }

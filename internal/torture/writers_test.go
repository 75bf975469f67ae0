package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// writer is one session that writes, and a new one where it is lost.
type writer struct {
	w    *world
	name string
	rnd  *rand.Rand
	conn *pgx.Conn
	pid  uint32
	gids int
}

func writerNames() []string {
	var names []string
	for n := range writersCount {
		names = append(names, fmt.Sprintf("w%d", n))
	}
	return names
}

func newWriters(w *world) []*writer {
	var all []*writer
	for n, name := range writerNames() {
		all = append(all, &writer{w: w, name: name, rnd: w.source(uint64(100 + n))})
	}
	return all
}

// run writes until ctx ends; what is under way then is brought to its end.
func (r *writer) run(ctx context.Context) {
	working, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		if err := r.ready(working, ctx); err != nil {
			continue
		}
		err := r.write(working)
		if err != nil && !expected(err) && !r.conn.IsClosed() {
			r.w.fail("writer %s: %v", r.name, err)
			return
		}
		if err != nil && !r.conn.IsClosed() {
			_ = r.giveUp(working) // a connection that is lost is seen at the next use
		}
		r.w.tally.transactions.Add(1)
		r.w.pause(ctx, time.Duration(r.rnd.IntN(6))*time.Millisecond)
	}
	if r.conn != nil {
		_ = r.conn.Close(working)
	}
}

// ready makes sure of a connection. What the lost one had begun must have
// ended before: its ids are announced as done. RULES 18.
func (r *writer) ready(working, ctx context.Context) error {
	if r.conn != nil && !r.conn.IsClosed() {
		return nil
	}
	conn, err := r.w.connect(ctx, "writer")
	if err != nil {
		return err
	}
	for there := r.pid != 0; there; r.w.pause(working, pollPause) {
		err = conn.QueryRow(working, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND application_name = 'writer')", r.pid).Scan(&there)
		if err != nil {
			return err
		}
	}
	r.conn, r.pid = conn, conn.PgConn().PID()
	return r.begin(working)
}

// begin ends what the lost connection had prepared, and registers the writer.
func (r *writer) begin(ctx context.Context) error {
	if err := r.giveUp(ctx); err != nil {
		return err
	}
	r.w.quiet.RLock()
	defer r.w.quiet.RUnlock()
	for _, s := range r.w.streams {
		if !s.announced {
			continue
		}
		a := announcer{s: s, name: r.name, conn: r.conn}
		if err := a.announceDrawn(ctx); err != nil {
			return err
		}
	}
	return nil
}

// giveUp ends an open transaction, and a prepared one.
func (r *writer) giveUp(ctx context.Context) error {
	if _, err := r.conn.Exec(ctx, "ROLLBACK"); err != nil {
		return err
	}
	rows, _ := r.conn.Query(ctx, "SELECT gid FROM pg_prepared_xacts WHERE gid LIKE $1", r.name+"-%")
	gids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, gid := range gids {
		if err == nil {
			_, err = r.conn.Exec(ctx, "ROLLBACK PREPARED '"+gid+"'")
		}
	}
	return err
}

// expected reports whether an error is one that a writer must live with.
func expected(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return true // the connection
	}
	switch pg.Code {
	case "40001", "40P01", // serialization, deadlock
		"23503", "23505", // deferred constraint; ids that started over
		"25P02", "42703", "42P01", "0A000", // DDL has been at the table
		"42704", "55000", // a prepared transaction that is gone
		"57014", "57P01", "57P02", "57P03", "55P03", "53300", "23514":
		return true
	}
	return strings.HasPrefix(pg.Code, "08")
}

// write is one random transaction.
func (r *writer) write(ctx context.Context) error {
	r.w.quiet.RLock()
	defer r.w.quiet.RUnlock()
	s := r.w.streams[r.rnd.IntN(len(r.w.streams))]
	if s.announced {
		return r.writeAnnounced(ctx, s)
	}
	if err := r.play(ctx, r.transaction(s, nil)); err != nil {
		return err
	}
	return r.idle(ctx)
}

// idle says of announced streams that nothing is open.
func (r *writer) idle(ctx context.Context) error {
	for _, s := range r.w.streams {
		if s.announced && r.rnd.IntN(3) == 0 {
			a := announcer{s: s, name: r.name, conn: r.conn}
			if err := a.announceDrawn(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeAnnounced draws ids, writes them, and says that they are done.
func (r *writer) writeAnnounced(ctx context.Context, s *stream) error {
	a := announcer{s: s, name: r.name, conn: r.conn}
	n := 1 + r.rnd.IntN(5)
	if r.rnd.IntN(200) == 0 {
		n = 10_000
	}
	steps := r.transaction(s, make([]int64, n)) // drawn from the seed before anything can fail
	ids, err := a.draw(ctx, n)
	if err != nil {
		return err
	}
	for i := range steps {
		steps[i].ids = take(&ids, steps[i].takes)
	}
	if err := r.play(ctx, steps); err != nil {
		if r.conn.IsClosed() || !expected(err) {
			return err
		}
		if err := r.giveUp(ctx); err != nil {
			return err
		}
	}
	return a.announceDrawn(ctx)
}

func take(ids *[]int64, n int) []int64 {
	n = min(n, len(*ids))
	taken := (*ids)[:n]
	*ids = (*ids)[n:]
	return taken
}

// play plays steps one after the other.
func (r *writer) play(ctx context.Context, steps []step) error {
	for _, s := range steps {
		if err := r.step(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// step is one thing that a transaction does.
type step struct {
	sql   string
	pause time.Duration
	// insert rows into a table: into is its name. takes is how many ids drawn
	// ahead it uses.
	into  string
	rows  int
	part  int
	how   insertion
	takes int
	ids   []int64
	of    *stream
	hang  bool // close the connection without a word
}

// insertion is how rows are inserted.
type insertion int

const (
	values insertion = iota
	series
	copied
	deferred
)

func (r *writer) step(ctx context.Context, s step) error {
	switch {
	case s.hang:
		_ = r.conn.PgConn().Conn().Close()
		return r.conn.Ping(ctx)
	case s.pause > 0:
		r.w.pause(ctx, s.pause)
		return nil
	case s.into == "":
		_, err := r.conn.Exec(ctx, s.sql)
		return err
	case s.how == copied:
		return r.copy(ctx, s)
	}
	_, err := r.conn.Exec(ctx, s.insert(r.name))
	return err
}

// insert is the step's INSERT.
func (s step) insert(writer string) string {
	batch := "NULL"
	if s.how == deferred {
		batch = s.sql
	}
	if !s.of.announced {
		return fmt.Sprintf("INSERT INTO %s (instance_name, part, batch) SELECT '%s', %d, %s FROM generate_series(1, %d)",
			s.into, writer, s.part, batch, s.rows)
	}
	ids := make([]string, len(s.ids))
	for i, id := range s.ids {
		ids[i] = fmt.Sprint(s.of.outward(id))
	}
	return fmt.Sprintf("INSERT INTO %s (id, instance_name, part, batch) SELECT i, '%s', %d, %s FROM unnest('{%s}'::bigint[]) i",
		s.into, writer, s.part, batch, strings.Join(ids, ","))
}

func (r *writer) copy(ctx context.Context, s step) error {
	var text strings.Builder
	column := ""
	for i := range s.rows {
		if s.of.announced {
			column = "id, "
			if i == len(s.ids) {
				break
			}
			fmt.Fprintf(&text, "%d\t", s.of.outward(s.ids[i]))
		}
		fmt.Fprintf(&text, "%s\t%d\n", r.name, s.part)
	}
	_, err := r.conn.PgConn().CopyFrom(ctx, strings.NewReader(text.String()),
		fmt.Sprintf("COPY %s (%sinstance_name, part) FROM STDIN", s.into, column))
	return err
}

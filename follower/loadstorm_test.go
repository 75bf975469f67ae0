package follower_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower"
)

// The proof of RULES 15, 16 and 20: writers join and leave all the time, their
// commits wait for a standby that comes and goes, and followers begin anew in
// the midst of it, each with a slot that is skipped ahead and with a load. A
// reader reads up to what they say. It may never miss a row.

// tide is such a world.
type tide struct {
	b          *bed
	unready    bool // control: writers register only after their first row
	stop       atomic.Bool
	names      atomic.Int64
	registered atomic.Int64
	working    sync.WaitGroup
	keeping    sync.WaitGroup

	mu    sync.Mutex
	there map[string]*joiner
}

// joiner is a writer that has registered and not left. Its lock is held while it
// may have an id open.
type joiner struct {
	name string
	busy sync.Mutex
}

const (
	lastDrawn = "SELECT last_value FROM events_stream_seq"
	raise     = "UPDATE stream_positions SET stream_id = $1 WHERE instance_name = ANY($2) AND stream_id < $1"
)

func (b *bed) tide(unready bool) *tide {
	w := &tide{b: b, unready: unready, there: make(map[string]*joiner)}
	b.draw("events_stream_seq")
	b.row(1, "idle")
	b.announce("events", "idle", 1)
	for k := range 6 {
		conn, rnd := b.connect(), rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(k)))
		w.working.Go(func() {
			for !w.stop.Load() {
				b.check(w.live(conn, rnd))
			}
		})
	}
	keeper := b.connect()
	w.keeping.Go(func() {
		for !w.stop.Load() || w.alive() {
			b.check(w.keep(keeper))
			time.Sleep(3 * time.Millisecond)
		}
		b.check(w.keep(keeper))
	})
	toggler := b.connect()
	w.keeping.Go(func() { w.toggle(toggler) })
	return w
}

// check notes an error; it may be called from any goroutine.
func (b *bed) check(err error) {
	if err != nil {
		b.t.Error(err)
	}
}

func (w *tide) alive() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.there) > 0
}

// live is the life of a writer: it registers, writes, announces and leaves.
func (w *tide) live(conn *pgx.Conn, rnd *rand.Rand) error {
	ctx := context.Background()
	j := &joiner{name: fmt.Sprintf("w%d", w.names.Add(1))}
	const register = "INSERT INTO stream_positions VALUES ('events', $1, $2) ON CONFLICT DO NOTHING"
	var last int64
	if err := conn.QueryRow(ctx, lastDrawn).Scan(&last); err != nil {
		return err
	}
	if !w.unready {
		if _, err := conn.Exec(ctx, register, j.name, last); err != nil {
			return err
		}
		w.registered.Add(1)
	}
	w.mu.Lock()
	w.there[j.name] = j
	w.mu.Unlock()
	for range 1 + rnd.IntN(3) {
		j.busy.Lock()
		err := w.write(ctx, conn, rnd, j.name)
		if err == nil && w.unready {
			_, err = conn.Exec(ctx, register, j.name, 0)
		}
		if err == nil && rnd.IntN(5) > 0 {
			err = raiseTo(ctx, conn, j.name)
		}
		j.busy.Unlock()
		if err != nil {
			return err
		}
	}
	w.mu.Lock()
	delete(w.there, j.name)
	w.mu.Unlock()
	j.busy.Lock() // else the keeper might write of it once more
	defer j.busy.Unlock()
	_, err := conn.Exec(ctx, "DELETE FROM stream_positions WHERE instance_name = $1", j.name)
	return err
}

// write draws ids ahead, writes them a little later, and commits or rolls back.
func (w *tide) write(ctx context.Context, conn *pgx.Conn, rnd *rand.Rand, name string) error {
	rows, err := conn.Query(ctx, "SELECT nextval('events_stream_seq') FROM generate_series(1, $1)", 1+rnd.IntN(2))
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	if rnd.IntN(2) == 0 {
		time.Sleep(time.Duration(rnd.IntN(30)) * time.Millisecond)
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "INSERT INTO events SELECT unnest($1::bigint[]), $2", ids, name); err != nil {
		return err
	}
	if rnd.IntN(3) == 0 {
		time.Sleep(time.Duration(rnd.IntN(30)) * time.Millisecond)
	}
	if rnd.IntN(7) == 0 {
		return tx.Rollback(ctx)
	}
	return tx.Commit(ctx)
}

// raiseTo announces that the writers have nothing open of what has been drawn.
func raiseTo(ctx context.Context, conn *pgx.Conn, names ...string) error {
	var last int64
	if err := conn.QueryRow(ctx, lastDrawn).Scan(&last); err != nil {
		return err
	}
	_, err := conn.Exec(ctx, raise, last, names)
	return err
}

// keep announces for all who are idle at this moment: what they draw later is
// greater, whatever they do meanwhile.
func (w *tide) keep(conn *pgx.Conn) error {
	names := []string{"idle"}
	var held []*joiner
	w.mu.Lock()
	for _, j := range w.there {
		if j.busy.TryLock() {
			held = append(held, j)
			names = append(names, j.name)
		}
	}
	w.mu.Unlock()
	var last int64
	err := conn.QueryRow(context.Background(), lastDrawn).Scan(&last)
	for _, j := range held {
		j.busy.Unlock()
	}
	if err != nil {
		return err
	}
	_, err = conn.Exec(context.Background(), raise, last, names)
	return err
}

// toggle has commits wait, and lets them go.
func (w *tide) toggle(conn *pgx.Conn) {
	set := func(sql string, least time.Duration) {
		for _, s := range []string{"ALTER SYSTEM " + sql, "SELECT pg_reload_conf()"} {
			_, err := conn.Exec(context.Background(), s)
			w.b.check(err)
		}
		time.Sleep(least + time.Duration(rand.IntN(60))*time.Millisecond)
	}
	for !w.stop.Load() {
		set("SET synchronous_standby_names = 'nobody'", 40*time.Millisecond)
		set("RESET synchronous_standby_names", 20*time.Millisecond)
	}
}

// end ends the writers, and returns the last id that was drawn.
func (w *tide) end() (last int64) {
	w.b.t.Helper()
	w.stop.Store(true)
	w.working.Wait()
	w.keeping.Wait()
	w.b.ok(w.b.sql.QueryRow(w.b.t.Context(), lastDrawn).Scan(&last))
	return last
}

// eyes are a reader of the stream, across the lives of followers.
type eyes struct {
	b        *bed
	conn     *pgx.Conn
	mirrored bool // of the descending stream in the same table; what follows is positive all the same
	last     int64
	seen     map[int64]bool
}

// sign is the ids' in the table.
func (e *eyes) sign() int64 {
	if e.mirrored {
		return -1
	}
	return 1
}

func (e *eyes) read(p int64) {
	e.b.t.Helper()
	if p <= e.last {
		return
	}
	rows, err := e.conn.Query(e.b.t.Context(), `SELECT $3::int8 * stream_ordering FROM events
		WHERE $3 * stream_ordering > $1 AND $3 * stream_ordering <= $2`, e.last, p, e.sign())
	e.b.ok(err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	e.b.ok(err)
	for _, id := range ids {
		e.seen[id] = true
	}
	e.last = p
}

// missed are the rows at or below the last position that were never read.
func (e *eyes) missed() (missed, rows int) {
	e.b.t.Helper()
	found, err := e.conn.Query(e.b.t.Context(), `SELECT $2::int8 * stream_ordering FROM events
		WHERE $2 * stream_ordering > 0 AND $2 * stream_ordering <= $1`, e.last, e.sign())
	e.b.ok(err)
	ids, err := pgx.CollectRows(found, pgx.RowTo[int64])
	e.b.ok(err)
	for _, id := range ids {
		if !e.seen[id] {
			missed++
		}
	}
	return missed, len(ids)
}

// life runs a follower from its beginning until done, and reads up to what it
// says. The position of a new one may be behind what others have said.
func (e *eyes) life(cfg follower.Config, done func(known bool, position int64) bool) {
	e.b.t.Helper()
	f, err := follower.New(cfg)
	e.b.ok(err)
	ctx, cancel := context.WithCancel(e.b.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	s := f.Streams()[0]
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		st := s.Status()
		if st.Known {
			e.read(s.CurrentToken())
		}
		if done(st.Known, st.Position) {
			break
		}
		if time.Now().After(deadline) {
			e.b.t.Fatalf("not within %s: %+v", patience, st)
		}
	}
	cancel()
	e.b.ok(<-ended)
	if st := s.Status(); st.LateRows > 0 && !e.b.t.Failed() {
		e.b.t.Logf("%d late rows", st.LateRows)
	}
}

// lives runs followers, one after the other, until over.
func (e *eyes) lives(over func() bool) (n int) {
	e.b.t.Helper()
	cfg := referenceConfig(e.b.url)
	cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark"}
	for ; !over(); n++ {
		var end time.Time // counts from when a position is known
		e.life(cfg, func(known bool, _ int64) bool {
			if known && end.IsZero() {
				end = time.Now().Add(time.Duration(50+rand.IntN(250)) * time.Millisecond)
			}
			return known && time.Now().After(end)
		})
	}
	return n
}

func TestLoadStorm(t *testing.T) {
	t.Parallel()
	b := newBed(t, reference)
	w := b.tide(false)
	e := &eyes{b: b, conn: b.connect(), seen: make(map[int64]bool)}
	end := time.Now().Add(4 * time.Second)
	lives := e.lives(func() bool { return time.Now().After(end) })
	last := w.end()
	cfg := referenceConfig(b.url)
	cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark"}
	e.life(cfg, func(_ bool, position int64) bool { return position >= last })
	missed, rows := e.missed()
	t.Logf("%d rows, %d registrations, %d followers, %d missed", rows, w.registered.Load(), lives, missed)
	if missed > 0 {
		t.Errorf("%d of %d rows missed", missed, rows)
	}
	if rows < 50 || lives < 3 || w.registered.Load() < 20 {
		t.Error("too little has happened: this proves nothing")
	}
}

// The same world loses rows where writers draw before they register. RULES 15.
func TestLoadStormCatchesWritersThatDoNotRegister(t *testing.T) {
	t.Parallel()
	b := newBed(t, reference)
	w := b.tide(true)
	e := &eyes{b: b, conn: b.connect(), seen: make(map[int64]bool)}
	missed, rows, end := 0, 0, time.Now().Add(3*patience) // it takes a moment
	lives := e.lives(func() bool {
		missed, rows = e.missed()
		return missed > 0 || time.Now().After(end)
	})
	w.end()
	t.Logf("%d rows, %d followers, %d missed", rows, lives, missed)
	if missed == 0 {
		t.Errorf("none of %d rows was missed: the storm would not show it", rows)
	}
}

package follower_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tidemark-pg/tidemark/follower"
)

// The proof: writers do everything that transactions can do to each other
// while a reader reads "from the last position I saw". It may never miss a row.

const proofSchema = `CREATE SEQUENCE ids;
CREATE TABLE a (id bigint PRIMARY KEY DEFAULT nextval('ids'), instance_name text);
CREATE TABLE b (id bigint PRIMARY KEY DEFAULT nextval('ids'), instance_name text);
CREATE PUBLICATION tidemark FOR TABLE a (id, instance_name), b (id, instance_name) WITH (publish = 'insert')`

func proofConfig(url string) follower.Config {
	return follower.Config{Database: url, Streams: []follower.StreamConfig{{
		Name: "ab",
		Tables: []follower.TableConfig{
			{Name: "a", IDColumn: "id", InstanceColumn: "instance_name"},
			{Name: "b", IDColumn: "id", InstanceColumn: "instance_name"},
		},
	}}}
}

// proofTime is how long the proof runs; TIDEMARK_PROOF lengthens it.
func proofTime(t *testing.T) time.Duration {
	if s := os.Getenv("TIDEMARK_PROOF"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	return 10 * time.Second
}

// storm is eight writers at work.
type storm struct {
	b       *bed
	seed    uint64
	rows    atomic.Int64
	ended   atomic.Int64 // transactions that were committed, rolled back or killed
	gid     atomic.Int64
	writers sync.WaitGroup
}

func (b *bed) storm(ctx context.Context, writers int) *storm {
	s := &storm{b: b, seed: uint64(time.Now().UnixNano())}
	b.t.Logf("seed %d", s.seed)
	for w := range writers {
		conn := b.connect()
		s.writers.Add(1)
		go func() {
			defer s.writers.Done()
			s.write(ctx, w, conn)
		}()
	}
	return s
}

func (s *storm) write(ctx context.Context, w int, conn *pgx.Conn) {
	rnd := rand.New(rand.NewPCG(s.seed, uint64(w)))
	name := fmt.Sprintf("w%d", w)
	for ctx.Err() == nil {
		if conn.IsClosed() {
			var err error
			if conn, err = pgx.Connect(context.WithoutCancel(ctx), s.b.url); err != nil {
				s.b.t.Errorf("writer %d: %v", w, err)
				return
			}
			defer func(c *pgx.Conn) { _ = c.Close(context.Background()) }(conn)
		}
		err := s.transaction(context.WithoutCancel(ctx), rnd, name, conn)
		var pg *pgconn.PgError
		if err != nil && !(errors.As(err, &pg) && pg.Code == "57P01") && !conn.IsClosed() {
			s.b.t.Errorf("writer %d: %v", w, err)
			return
		}
		s.ended.Add(1)
	}
}

// transaction is one random transaction with 1 to 5 rows.
func (s *storm) transaction(ctx context.Context, rnd *rand.Rand, name string, conn *pgx.Conn) error {
	run := func(sql string) error { _, err := conn.Exec(ctx, sql); return err }
	insert := func() error {
		s.rows.Add(1)
		table := []string{"a", "b"}[rnd.IntN(2)]
		return run("INSERT INTO " + table + " (instance_name) VALUES ('" + name + "')")
	}
	steps := []func() error{func() error { return run("BEGIN") }}
	for range 1 + rnd.IntN(5) {
		steps = append(steps, insert)
		switch rnd.IntN(12) {
		case 0:
			steps = append(steps,
				func() error { return run("SAVEPOINT s") }, insert,
				func() error { return run("ROLLBACK TO SAVEPOINT s") })
		case 1:
			steps = append(steps, func() error { time.Sleep(time.Duration(rnd.IntN(20)) * time.Millisecond); return nil })
		}
	}
	end := "COMMIT"
	switch n := rnd.IntN(100); {
	case n < 20:
		end = "ROLLBACK"
	case n < 30:
		gid := fmt.Sprintf("p%d", s.gid.Add(1))
		steps = append(steps, func() error { return run("PREPARE TRANSACTION '" + gid + "'") })
		end = []string{"COMMIT", "ROLLBACK"}[rnd.IntN(2)] + " PREPARED '" + gid + "'"
	case n < 32:
		steps = append(steps, func() error { time.Sleep(300 * time.Millisecond); return nil })
	case n < 34:
		end = "SELECT pg_terminate_backend(pg_backend_pid())"
	}
	steps = append(steps, func() error { return run(end) })
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// reading is a reader that asks where it may read to, and then reads.
type reading struct {
	reads, backward int
	seen            map[int64]bool
	last            int64
}

// read reads once, up to the position.
func (r *reading) read(ctx context.Context, conn *pgx.Conn, position func() (int64, error)) error {
	p, err := position()
	if err != nil {
		return err
	}
	r.reads++
	if p < r.last {
		r.backward++
	}
	rows, err := conn.Query(ctx, "SELECT id FROM a WHERE id > $1 AND id <= $2 UNION ALL SELECT id FROM b WHERE id > $1 AND id <= $2", r.last, p)
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	for _, id := range ids {
		r.seen[id] = true
	}
	r.last = max(r.last, p)
	return err
}

// missed is how many of the rows that exist in the end were never read.
func (r *reading) missed(ctx context.Context, conn *pgx.Conn) (missed, rows int, err error) {
	found, err := conn.Query(ctx, "SELECT id FROM a WHERE id <= $1 UNION ALL SELECT id FROM b WHERE id <= $1", r.last)
	if err != nil {
		return 0, 0, err
	}
	ids, err := pgx.CollectRows(found, pgx.RowTo[int64])
	for _, id := range ids {
		if !r.seen[id] {
			missed++
		}
	}
	return missed, len(ids), err
}

// proof runs writers and a reader; after the writers have stopped the reader
// reads once more what the last position covers.
func (b *bed) proof(d time.Duration, position func() (int64, error), settle func(newest int64)) (r *reading, missed, rows int) {
	return b.proofOn(b.connect(), d, position, settle)
}

// proofOn is proof with a reader on a connection of its own, to a standby say.
func (b *bed) proofOn(conn *pgx.Conn, d time.Duration, position func() (int64, error), settle func(newest int64)) (r *reading, missed, rows int) {
	ctx, cancel := context.WithTimeout(b.t.Context(), d)
	defer cancel()
	storm := b.storm(ctx, 8)
	r = &reading{seen: make(map[int64]bool)}
	for ctx.Err() == nil {
		b.ok(r.read(b.t.Context(), conn, position))
	}
	storm.writers.Wait()
	var newest int64
	b.ok(b.sql.QueryRow(b.t.Context(), "SELECT last_value FROM ids").Scan(&newest))
	settle(newest)
	b.ok(r.read(b.t.Context(), conn, position))
	missed, rows, err := r.missed(b.t.Context(), conn)
	b.ok(err)
	b.t.Logf("%.0f s: %d transactions, %d rows, %d position reads, %d missed, %d steps back",
		d.Seconds(), storm.ended.Load(), rows, r.reads, missed, r.backward)
	return r, missed, rows
}

func TestNoReaderMissesARow(t *testing.T) {
	b := newBed(t, proofSchema)
	_, s := b.follow(proofConfig(b.url))
	b.following(s)
	r, missed, rows := b.proof(proofTime(t),
		func() (int64, error) { return s.CurrentToken(), nil },
		func(newest int64) { b.reach(s, newest) })
	if missed != 0 || r.backward != 0 {
		t.Errorf("%d of %d rows missed, %d steps back", missed, rows, r.backward)
	}
	if rows < 100 || r.reads < 100 {
		t.Errorf("only %d rows and %d reads: this proves nothing", rows, r.reads)
	}
	if st := s.Status(); st.LateRows != 0 {
		t.Errorf("%d late rows", st.LateRows)
	}
}

// The same test catches a reader that takes the newest visible id for the position.
func TestTheProofCatchesABrokenFollower(t *testing.T) {
	b := newBed(t, proofSchema)
	conn := b.connect()
	_, missed, rows := b.proof(3*time.Second, func() (p int64, err error) {
		err = conn.QueryRow(t.Context(), "SELECT greatest((SELECT max(id) FROM a), (SELECT max(id) FROM b), 0)").Scan(&p)
		return p, err
	}, func(int64) {})
	if missed == 0 {
		t.Fatalf("a reader that trusts the newest visible id missed none of %d rows", rows)
	}
}

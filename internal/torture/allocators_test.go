package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-pg/tidemark/tracker/allocator"
)

// allocatorNames are the writers that use the allocator, beside those in plain
// SQL.
func allocatorNames() []string { return []string{"a0", "a1"} }

// allocating is a writer of an announced stream that uses the allocator, and
// opens another one where that stops.
type allocating struct {
	w    *world
	s    *stream
	name string
	rnd  *rand.Rand

	mu   sync.Mutex           // protects what follows
	now  *allocator.Allocator // nil while there is none
	life int                  // how many there have been
}

func newAllocating(w *world) []*allocating {
	var all []*allocating
	for i, s := range w.streams {
		if !s.allocators {
			continue
		}
		for n, name := range allocatorNames() {
			all = append(all, &allocating{w: w, s: s, name: name, rnd: w.source(uint64(200 + 10*i + n))})
		}
	}
	return all
}

// run writes until ctx ends.
func (r *allocating) run(ctx context.Context) {
	working, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		if err := r.session(working, ctx); err != nil {
			if unexpectedOfAllocator(err) {
				r.w.fail("allocator %s of %s: %v", r.name, r.s.name, err)
				return
			}
			r.w.pause(ctx, 20*time.Millisecond)
		}
	}
}

// unexpectedOfAllocator: nothing that happens here puts a stored position ahead
// of the sequence, and nobody uses another's name.
func unexpectedOfAllocator(err error) bool {
	var behind *allocator.BehindError
	return errors.As(err, &behind) || errors.Is(err, allocator.ErrUsurped) || !expected(err)
}

// session is the life of one allocator.
func (r *allocating) session(working, ctx context.Context) error {
	primary := r.w.primary.Load()
	pool, err := pgxpool.New(working, url(primary, "allocator")+"&pool_max_conns=4")
	if err != nil {
		return err
	}
	defer pool.Close()
	a, err := r.open(ctx, pool)
	if err != nil {
		return err
	}
	defer func() {
		r.set(nil)
		closing, cancel := context.WithTimeout(working, 5*time.Second)
		defer cancel()
		_ = a.Close(closing) // what it could not announce, the next one does
	}()
	r.set(a)
	for ctx.Err() == nil && r.w.primary.Load() == primary {
		err := r.write(working, pool, a)
		if stopped(err) || (err != nil && unexpectedOfAllocator(err)) {
			return err
		}
		r.w.tally.transactions.Add(1)
		r.w.pause(ctx, time.Duration(r.rnd.IntN(10))*time.Millisecond)
	}
	return nil
}

func (r *allocating) open(ctx context.Context, pool *pgxpool.Pool) (*allocator.Allocator, error) {
	cfg := allocator.Config{
		Stream: r.s.name, Instance: r.name, Sequence: r.s.sequence, Descending: r.s.descending,
		IdleInterval: 30 * time.Millisecond, RefreshInterval: 50 * time.Millisecond,
	}
	for _, t := range r.s.tables {
		cfg.Tables = append(cfg.Tables, allocator.Table{Name: t.name, IDColumn: "id", InstanceColumn: "instance_name"})
	}
	ctx, cancel := context.WithTimeout(ctx, endWithin)
	defer cancel()
	return allocator.Open(ctx, pool, cfg)
}

// stopped reports whether the allocator is of no use any more.
func stopped(err error) bool {
	for _, end := range []error{allocator.ErrClosed, allocator.ErrHistory, allocator.ErrUsurped, allocator.ErrWentBack} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

func (r *allocating) set(a *allocator.Allocator) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = a
	if a != nil {
		r.life++
	}
}

// token is the position that the allocator knows of.
func (r *allocating) token() (p int64, life string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now == nil {
		return 0, "", false
	}
	return r.s.outward(r.now.CurrentToken()), strconv.Itoa(r.life), true
}

// write draws ids and writes them, in one transaction or in two, of which the
// first fails.
func (r *allocating) write(ctx context.Context, pool *pgxpool.Pool, a *allocator.Allocator) error {
	n, lazy, end, bind, tied := 1+r.rnd.IntN(8), r.rnd.IntN(4) == 0, r.rnd.IntN(40), r.rnd.IntN(2) == 0, r.rnd.IntN(4) == 0
	table := r.s.tables[r.rnd.IntN(len(r.s.tables))].name
	pause := time.Duration(r.rnd.IntN(8)) * time.Millisecond
	ending := func(ctx context.Context, tx pgx.Tx) error {
		r.w.pause(ctx, pause)
		switch {
		case end == 0:
			_, err := tx.Exec(ctx, "SELECT pg_terminate_backend(pg_backend_pid())")
			return err
		case end < 8:
			return errRollback
		}
		return nil
	}
	if tied {
		return r.inside(ctx, pool, a, n, table, ending)
	}
	handle, err := a.NextN(ctx, n)
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if bind {
			if err := handle.Bind(ctx, tx); err != nil {
				return err
			}
		}
		if err := r.insert(ctx, tx, table, handle.IDs(), lazy); err != nil {
			return err
		}
		return ending(ctx, tx)
	})
	return errors.Join(ignoreRollback(err), handle.Finish(ctx, err))
}

// errRollback has a transaction rolled back.
var errRollback = errors.New("roll back")

func ignoreRollback(err error) error {
	if errors.Is(err, errRollback) {
		return nil
	}
	return err
}

// inside draws within the transaction.
func (r *allocating) inside(ctx context.Context, pool *pgxpool.Pool, a *allocator.Allocator, n int, table string, ending func(context.Context, pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		handle, err := a.NextNTx(ctx, tx, n)
		if err != nil {
			return err
		}
		if err := r.insert(ctx, tx, table, handle.IDs(), false); err != nil {
			return err
		}
		return ending(ctx, tx)
	})
	return ignoreRollback(err)
}

func (r *allocating) insert(ctx context.Context, tx pgx.Tx, table string, ids []int64, lazy bool) error {
	if lazy {
		if _, err := tx.Exec(ctx, "SET LOCAL synchronous_commit = off"); err != nil {
			return err
		}
	}
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = strconv.FormatInt(id, 10)
	}
	_, err := tx.Exec(ctx, fmt.Sprintf("INSERT INTO %s (id, instance_name) SELECT i, '%s' FROM unnest('{%s}'::bigint[]) i",
		table, r.name, strings.Join(list, ",")))
	return err
}

// embedded reads up to what an allocator says.
type embedded struct {
	*book
	session
	by *allocating
}

func (r *embedded) run(ctx context.Context) {
	defer r.close()
	for ctx.Err() == nil {
		if err := r.once(ctx); err != nil && !expected(err) && ctx.Err() == nil {
			r.w.fail("%s: %v", r.name, err)
			return
		}
		r.w.pause(ctx, readPause)
	}
}

func (r *embedded) once(ctx context.Context) error {
	p, life, ok := r.by.token()
	if !ok {
		return nil
	}
	after := r.at(life, p)
	conn, _, err := r.get(ctx, r.w.primary.Load())
	if err != nil {
		return err
	}
	rows, err := rowsBetween(ctx, conn, r.s, after, p)
	if err == nil {
		r.read(life, rows, p)
	}
	return err
}

// verify compares what was read: there is no allocator now that could go on.
func (r *embedded) verify(ctx context.Context, _ int64) { r.verifyAt(ctx, 0) }

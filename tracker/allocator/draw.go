package allocator

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
)

// drawTimeout bounds one round of drawing ids; callers have their own patience.
const drawTimeout = 30 * time.Second

// request is a caller that waits for ids.
type request struct {
	n      int
	caller uintptr
	reply  chan drawn // holds one

	// Under the book's lock:
	abandoned bool
}

type drawn struct {
	entry *entry
	err   error
}

// errNotWriter is what an instance gets that is not one of Config.Writers.
var errNotWriter = errors.New("the instance is not one of the stream's writers")

// ErrClosed is what a closed allocator answers.
var ErrClosed = errors.New("allocator closed")

// mayDraw reports why n ids cannot be had at all.
func (a *Allocator) mayDraw(n int) error {
	switch {
	case !a.cfg.writer():
		return fmt.Errorf("allocate on stream %q as %q: %w", a.cfg.Stream, a.cfg.Instance, errNotWriter)
	case n < 1 || n > MaxIDs:
		return fmt.Errorf("allocate %d ids: want 1 to %d", n, MaxIDs)
	}
	return a.failed()
}

// allocate gets n ids: alone, or in one round trip with all who ask meanwhile.
// A caller that goes before they come leaves nothing open.
func (a *Allocator) allocate(ctx context.Context, n int, caller uintptr) (*entry, error) {
	r := &request{n: n, caller: caller, reply: make(chan drawn, 1)}
	if err := a.enqueue(r); err != nil {
		return nil, err
	}
	select {
	case d := <-r.reply:
		return d.entry, d.err
	case <-ctx.Done():
		a.abandon(r)
		return nil, fmt.Errorf("allocate %d ids: %w", n, context.Cause(ctx))
	}
}

func (a *Allocator) enqueue(r *request) error {
	a.book.mu.Lock()
	defer a.book.mu.Unlock()
	if a.book.failure != nil {
		return a.book.failure
	}
	a.requests = append(a.requests, r)
	if !a.drawing {
		a.drawing = true
		a.background.Go(a.drawAll)
	}
	return nil
}

// abandon ends a request whose caller has gone; ids that have come already
// are dead: nobody has seen them.
func (a *Allocator) abandon(r *request) {
	a.book.mu.Lock()
	r.abandoned = true
	select {
	case d := <-r.reply:
		if d.entry != nil {
			a.book.finishLocked(d.entry, time.Now())
		}
	default:
	}
	a.book.conclude()
	a.wake()
}

// drawAll serves requests until there are none: each round takes all that have
// come during the last.
func (a *Allocator) drawAll() {
	for {
		a.book.mu.Lock()
		round := a.requests
		a.requests = nil
		a.drawing = len(round) > 0
		a.book.mu.Unlock()
		if len(round) == 0 {
			return
		}
		for len(round) > 0 {
			n, total := 0, 0
			for n < len(round) && (n == 0 || total+round[n].n <= MaxIDs) {
				total += round[n].n
				n++
			}
			a.serve(round[:n], total)
			round = round[n:]
		}
	}
}

// serve draws the ids of a round and hands them out in order.
func (a *Allocator) serve(round []*request, total int) {
	ctx, cancel := context.WithTimeout(a.life, drawTimeout)
	defer cancel()
	err := a.lease.use(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		return a.fetch(ctx, conn, round, total)
	})
	if err == nil {
		return
	}
	if cause := context.Cause(a.life); cause != nil {
		err = cause
	}
	for _, r := range round {
		r.reply <- drawn{err: err}
	}
}

// fetch is one draw, over the lease's connection.
func (a *Allocator) fetch(ctx context.Context, conn *pgx.Conn, round []*request, total int) error {
	a.book.mu.Lock()
	if err := a.book.failure; err != nil { // since they asked
		a.book.mu.Unlock()
		return err
	}
	name := a.book.writer.BeginFetch()
	a.book.mu.Unlock()
	ids, w, err := a.drawRegistered(ctx, conn, total)
	a.book.mu.Lock()
	if err == nil {
		err = a.book.writer.EndFetch(name, ids, w.inserted)
	}
	if err != nil {
		a.book.writer.DropFetch(name)
		a.book.conclude()
		if errors.Is(err, ErrWentBack) {
			a.fail(err)
		}
		return err
	}
	a.book.writer.Flush(w.onDisk)
	a.handOut(round, ids, a.lease.life, time.Now())
	a.book.conclude()
	return nil
}

// drawRegistered draws ids, and registers first if the instance's row is gone.
func (a *Allocator) drawRegistered(ctx context.Context, conn *pgx.Conn, n int) ([]int64, wal, error) {
	for again := false; ; again = true {
		ids, w, sequence, err := a.db.drawIDs(ctx, conn, n)
		if err == nil {
			err = a.lease.verify(w.pid)
		}
		if err == nil {
			err = a.sameSequence(sequence)
		}
		if err != nil || len(ids) == n {
			return ids, w, err
		}
		if len(ids) != 0 || again {
			return nil, w, fmt.Errorf("drew %d ids in place of %d: has %s a unique index on (stream_name, instance_name)?",
				len(ids), n, a.cfg.PositionsTable)
		}
		if err := a.enrolAgain(ctx, conn); err != nil {
			return nil, w, err
		}
	}
}

// handOut splits the ids of a round among its requests, under the book's lock.
func (a *Allocator) handOut(round []*request, ids []int64, life int, now time.Time) {
	for _, r := range round {
		e := &entry{ids: ids[:r.n:r.n], born: now, caller: r.caller, lease: life}
		ids = ids[r.n:]
		a.book.entries[e] = struct{}{}
		if r.abandoned {
			a.book.finishLocked(e, now)
			continue
		}
		r.reply <- drawn{entry: e}
	}
}

// callerOf returns the program counter of whoever called the exported method.
func callerOf() uintptr {
	var pc [1]uintptr
	runtime.Callers(3, pc[:])
	return pc[0]
}

package allocator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// The background's pace.
const (
	// forceAfter is how long a flush is waited for before it is forced.
	forceAfter = 250 * time.Millisecond
	// leastPause and mostPause bound the time between looks at something that
	// has to end by itself.
	leastPause = 5 * time.Millisecond
	mostPause  = time.Second
	// roundTimeout bounds one round of the background's statements.
	roundTimeout = 15 * time.Second
	// share is how many times longer than a look the pause after it is: what
	// looks cost stays below a twentieth of a core (RULES 7).
	share = 20
)

// chores is what the loop remembers from round to round.
type chores struct {
	idleAt, refreshAt, readAt time.Time     // when these are due next
	pause                     time.Duration // grows while nothing ends
	failures                  int           // rounds that failed, in a row
}

// loop announces what is done, and watches what must end first. There is one:
// while it stores a position, finished ids gather for the next.
func (a *Allocator) loop() {
	defer close(a.looping)
	now := time.Now()
	c := chores{idleAt: now.Add(a.cfg.IdleInterval), refreshAt: now.Add(a.cfg.RefreshInterval), pause: leastPause}
	timer := time.NewTimer(leastPause)
	defer timer.Stop()
	for {
		select {
		case <-a.life.Done():
			return
		case <-a.poke:
		case <-timer.C:
		}
		timer.Reset(a.round(&c))
	}
}

// round does what is due and returns the time after which to look again.
func (a *Allocator) round(c *chores) time.Duration {
	if a.failed() != nil {
		return mostPause
	}
	ctx, cancel := context.WithTimeout(a.life, roundTimeout)
	defer cancel()
	began := time.Now()
	soon, err := a.doChores(ctx, c, began)
	if !began.Before(c.idleAt) {
		c.idleAt = began.Add(a.cfg.IdleInterval)
	}
	if errors.Is(err, context.Canceled) && a.life.Err() != nil {
		return mostPause
	}
	if err != nil {
		c.failures++
		if c.failures == 1 {
			a.log.Warn("background work failed, trying again", "err", err)
		}
		return min(mostPause, leastPause<<min(c.failures, 8))
	}
	if c.failures > 0 {
		a.log.Info("background work goes on", "failures", c.failures)
		c.failures = 0
	}
	a.warnOfOld(began)
	if !soon {
		c.pause = leastPause
		return max(leastPause, min(time.Until(c.next(a.cfg)), a.cfg.IdleInterval))
	}
	pause := max(c.pause, share*time.Since(began))
	c.pause = min(2*c.pause, mostPause/10)
	return min(pause, mostPause)
}

func (c *chores) next(cfg Config) time.Time {
	if cfg.RefreshInterval > 0 && c.refreshAt.Before(c.idleAt) {
		return c.refreshAt
	}
	return c.idleAt
}

// doChores reports whether something stands that has to be looked at soon.
func (a *Allocator) doChores(ctx context.Context, c *chores, now time.Time) (soon bool, err error) {
	if a.cfg.writer() {
		if soon, err = a.writerChores(ctx, c, now); err != nil {
			return soon, err
		}
	}
	if a.purge != nil {
		if err := a.goOnPurging(ctx); err != nil {
			return true, err
		}
		soon = soon || a.purge != nil
	}
	again, err := a.loader.standing(ctx, a)
	if err != nil {
		return true, err
	}
	if again || a.cfg.RefreshInterval > 0 && !now.Before(c.refreshAt) {
		c.refreshAt = now.Add(a.cfg.RefreshInterval)
		err = a.Refresh(ctx)
	}
	return soon || a.loader.waits(), err
}

func (a *Allocator) writerChores(ctx context.Context, c *chores, now time.Time) (soon bool, err error) {
	asked, _, err := a.resolveTransactions(ctx)
	if err != nil {
		return true, err
	}
	doubts, err := a.resolveDoubts(ctx)
	if err != nil {
		return true, err
	}
	left, err := a.lookBack(ctx)
	if err != nil {
		return true, err
	}
	behind, err := a.readSequence(ctx, c, now)
	if err != nil {
		return true, err
	}
	unflushed, err := a.flush(ctx, false)
	if err != nil {
		return true, err
	}
	return asked > 0 || doubts || left || unflushed || behind, a.announce(ctx)
}

// nothing is done with the lease but to take it where it was lost.
func nothing(context.Context, *pgx.Conn) error { return nil }

// lookBack looks whether what an earlier life left open has ended (RULES 18),
// and reports whether it has not.
func (a *Allocator) lookBack(ctx context.Context) (left bool, err error) {
	a.book.mu.Lock()
	wait := a.book.left
	a.book.mu.Unlock()
	if wait == nil {
		return false, nil
	}
	ended, err := wait.look(ctx, a.db.pool)
	if err != nil || !ended {
		return true, err
	}
	a.book.mu.Lock()
	if a.book.left == wait { // else the lease was lost meanwhile
		a.book.left = nil
		a.book.writer.Release()
		a.book.writer.Touch()
	}
	a.book.conclude()
	return false, nil
}

// readSequence looks how far the sequence has gone when the idle interval is
// over, or others are further: an idle writer's later ids are greater than what
// it reads, so it need not hold them back.
func (a *Allocator) readSequence(ctx context.Context, c *chores, now time.Time) (later bool, err error) {
	a.book.mu.Lock()
	idle, behind := !now.Before(c.idleAt), a.book.behind
	if idle {
		a.book.writer.Touch()
	}
	if !idle && (!behind || now.Before(c.readAt)) {
		a.book.mu.Unlock()
		return behind, nil
	}
	a.book.behind = false
	a.book.mu.Unlock()
	began := time.Now()
	err = a.lease.use(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		if err := a.askSequence(ctx, conn, now); err != nil || !idle {
			return err
		}
		return a.stayRegistered(ctx, conn)
	})
	c.readAt = time.Now().Add(max(leastPause, share*time.Since(began)))
	if err != nil { // once more, then
		a.book.mu.Lock()
		a.book.behind = true
		a.book.mu.Unlock()
	}
	return false, err
}

func (a *Allocator) askSequence(ctx context.Context, conn *pgx.Conn, now time.Time) error {
	r, err := a.read(ctx, conn)
	if err == nil {
		err = a.lease.verify(r.wal.pid)
	}
	if err != nil {
		return err
	}
	return a.noteReading(r, now)
}

// stayRegistered looks after an idle writer's row: where somebody has taken it
// away the others may wait for this instance, which has nothing to say that
// would bring it back.
func (a *Allocator) stayRegistered(ctx context.Context, conn *pgx.Conn) error {
	if !a.cfg.keepsPositions() {
		return nil
	}
	var stored int64
	err := conn.QueryRow(ctx, a.db.own, a.cfg.Stream, a.cfg.Instance).Scan(&stored)
	if errors.Is(err, pgx.ErrNoRows) {
		return a.enrolAgain(ctx, conn)
	}
	if err != nil {
		return fmt.Errorf("look for the instance's position: %w", err)
	}
	return nil
}

// noteReading is called under the lease, so that no draw is under way.
func (a *Allocator) noteReading(r reading, now time.Time) error {
	a.book.mu.Lock()
	err := a.book.writer.Read(r.last, r.wal.inserted, now)
	if err == nil {
		a.book.writer.Flush(r.wal.onDisk)
	}
	a.book.conclude()
	if err != nil {
		a.fail(err)
	}
	return err
}

// flush looks whether what waits for the disk is there, and has the server put
// it there when it has waited long (or at once: force). It reports whether
// something still waits. The question goes over the lease's connection, to the
// very server that the draws went to.
func (a *Allocator) flush(ctx context.Context, force bool) (waits bool, err error) {
	a.book.mu.Lock()
	since, waits := a.book.writer.Awaits()
	a.book.mu.Unlock()
	if !waits {
		return false, nil
	}
	force = force || time.Since(since) >= forceAfter
	err = a.lease.use(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		w, err := a.db.look(ctx, conn, force)
		if err == nil {
			err = a.lease.verify(w.pid)
		}
		if err != nil {
			return err
		}
		a.book.mu.Lock()
		a.book.writer.Flush(w.onDisk)
		_, waits = a.book.writer.Awaits()
		a.book.conclude()
		return nil
	})
	return waits, err
}

// announce stores the position if it is further than what is stored, and
// something has happened that is worth it. Where the instance's row has gone it
// registers again, which takes the lease: without it the row is not its own any
// more. RULES 18.
func (a *Allocator) announce(ctx context.Context) error {
	if !a.cfg.keepsPositions() {
		return nil
	}
	b := &a.book
	b.mu.Lock()
	value, due := b.writer.Announcement()
	if !due {
		b.mu.Unlock()
		return nil
	}
	b.stores++
	history := b.writer.History()
	b.mu.Unlock()
	found, there, err := a.db.announce(ctx, value, history)
	if err == nil {
		err = a.sameHistory(found)
	}
	if err == nil && !there {
		err = a.lease.use(ctx, a.enrolAgain)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil || !there {
		b.writer.Touch()
		return err
	}
	b.writer.Announced(value)
	return nil
}

// warnOfOld logs each handle once that is open for longer than it should be.
func (a *Allocator) warnOfOld(now time.Time) {
	if a.cfg.HandleWarnAfter < 0 {
		return
	}
	var old []OpenHandle
	a.book.mu.Lock()
	for e := range a.book.entries {
		if !e.warned && now.Sub(e.born) >= a.cfg.HandleWarnAfter {
			e.warned = true
			old = append(old, a.describe(e, now))
		}
	}
	a.book.mu.Unlock()
	for _, h := range old {
		a.log.Warn("ids are open for long and hold the stream's position back: was Finish forgotten?",
			"ids", h.IDs, "age", h.Age, "drawn_by", h.Caller)
	}
}

package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"

	"github.com/tidemark-pg/tidemark/follower/internal/gate"
)

const (
	// crowdPause is for how long the gate pauses where commits come in crowds,
	// to take more at once the next time.
	crowdPause = 2 * time.Millisecond
	// backlogPause is the pause while a backlog is read: nobody notices it
	// there, and a statement for every few commits would slow the walsender.
	backlogPause = 20 * time.Millisecond
	// suspicious is how long a commit may stay invisible before the gatekeeper
	// asks whether it waits for us. RULES 1.
	suspicious = 100 * time.Millisecond
	// againFirst and againLast bound the pauses between asking for a commit
	// that is not visible yet.
	againFirst = 100 * time.Microsecond
	againLast  = 20 * time.Millisecond
)

// gatekeeper owns the SQL session: it finds out which commits are visible.
type gatekeeper struct {
	*session
	cleared  []gate.Commit
	checked  time.Time
	crowding crowding
}

func (g *gatekeeper) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-g.pipe.silent:
			if err := g.alive(ctx); err != nil {
				return err
			}
			continue
		case <-g.pipe.wake:
		}
		if err := g.drain(ctx, timer); err != nil {
			return err
		}
	}
}

// drain asks until nothing waits at the gate. One query is in flight at most.
func (g *gatekeeper) drain(ctx context.Context, timer *time.Timer) error {
	again := againFirst
	for ctx.Err() == nil {
		n, left, err := g.look(ctx)
		if err != nil {
			return err
		}
		crowded := g.crowding.saw(n, time.Now())
		g.pipe.crowded.Store(crowded)
		pause := time.Duration(0)
		switch {
		case n > 0 && g.pipe.backlog.Load():
			pause, again = backlogPause, againFirst
		case n > 0 && crowded:
			pause, again = crowdPause, againFirst
		case n > 0:
			again = againFirst
		case left > 0:
			pause, again = again, min(2*again, againLast)
		}
		if left == 0 && pause == 0 {
			return nil
		}
		if err := g.suspect(ctx); err != nil {
			return err
		}
		if pause > 0 {
			timer.Reset(pause)
			select {
			case <-timer.C:
			case <-g.pipe.silent:
				if err := g.alive(ctx); err != nil {
					return err
				}
			case <-ctx.Done():
			}
		}
	}
	return nil
}

// look takes one snapshot and hands on what it sees.
func (g *gatekeeper) look(ctx context.Context) (cleared, left int, err error) {
	ctx, cancel := g.ask(ctx)
	defer cancel()
	var text string
	var insert int64
	// The statement's snapshot is taken before its output is computed: what
	// the snapshot sees ended below the insert position.
	err = g.sql.QueryRow(ctx, `SELECT pg_current_snapshot()::text, (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8`).
		Scan(&text, &insert)
	if err != nil {
		return 0, 0, fmt.Errorf("ask which commits are visible: %w", err)
	}
	snapshot, err := gate.ParseSnapshot(text)
	if err != nil {
		return 0, 0, err
	}
	g.cleared, left = g.pipe.clear(snapshot, g.cleared[:0])
	if err := g.genuine(ctx, g.cleared, pglogrepl.LSN(insert)); err != nil {
		return 0, 0, err
	}
	if len(g.cleared) > 0 {
		g.Receiver.Visible(g.cleared, pglogrepl.LSN(insert))
		g.pipe.recycle(g.cleared)
	}
	cleared = len(g.cleared)
	clear(g.cleared)
	return cleared, left, nil
}

// suspect looks, where a commit has stayed invisible for long, whether it
// waits for us as its synchronous standby. RULES 1.
func (g *gatekeeper) suspect(ctx context.Context) error {
	now := time.Now()
	if wait, _ := g.pipe.waiting(now); wait < suspicious || !since(g.checked, now, suspicious) {
		return nil
	}
	g.checked = now
	return g.asynchronous(ctx)
}

// alive asks by SQL whether a walsender that says nothing is busy, with a large
// transaction say, or cannot be heard: then it waits for us in its main loop.
func (g *gatekeeper) alive(ctx context.Context) error {
	ctx, cancel := g.ask(ctx)
	defer cancel()
	var waits bool
	err := g.slot.QueryRow(ctx, `SELECT coalesce(bool_or(wait_event_type IN ('Activity', 'Client')), true)
		FROM pg_stat_activity WHERE pid = $1`, int32(g.repl.PID())).Scan(&waits)
	switch {
	case err != nil:
		return fmt.Errorf("ask whether the walsender is alive: %w", err)
	case waits:
		return errSilent
	}
	return nil
}

var errSilent = errors.New("the server has said nothing on the replication connection, and its walsender is not busy: the connection is dead")

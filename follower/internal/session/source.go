package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tidemark-pg/tidemark/follower/internal/epoch"
	"github.com/tidemark-pg/tidemark/follower/internal/gate"
	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

// Slots on a standby.
//
// A standby sends what it has replayed, which is the primary's WAL, and the
// gate asks the primary as ever. So all that is different is the proof that the
// rows are the primary's: a standby can be promoted, or be led to another
// primary, while it is read, and the one that positions come from may live on.
// Rows of another history must not pass its gate: their transactions' numbers
// mean something else there.
//
// A server that leaves a history begins a timeline, and a standby that follows
// it there replays on that one. IDENTIFY_SYSTEM on a standby tells the timeline
// that it replays (walsender.c, GetStandbyFlushRecPtr), which only rises. So
// where it is still the primary's after a commit was received, the commit is the
// primary's; the gate asks before it hands anything on. And no commit may lie
// beyond the primary's WAL.

// standbyDecodes is the first version whose standbys decode.
const standbyDecodes = 160000

// witness says, over a replication connection of its own, which history the
// standby that carries the slot replays.
type witness struct {
	conn *pgconn.PgConn
	id   server.Identity
}

// connectStandby opens what is needed on the standby that carries the slot, and
// proves that it replays the primary's history.
func (s *session) connectStandby(ctx context.Context) error {
	conn, id, err := s.Standby.Standby(ctx)
	if err != nil {
		return err
	}
	s.slot = conn
	var recovering bool
	var version int
	ask, cancel := s.ask(ctx)
	defer cancel()
	err = conn.QueryRow(ask, "SELECT pg_is_in_recovery(), current_setting('server_version_num')::int").Scan(&recovering, &version)
	switch where := s.Standby.Address(); {
	case err != nil:
		return fmt.Errorf("look at standby %s: %w", where, err)
	case !recovering:
		return fmt.Errorf("read a slot on %s: it is not a standby (not in recovery)", where)
	case version < standbyDecodes:
		return fmt.Errorf("read a slot on standby %s: slot.standby needs PostgreSQL 16 or newer", where)
	case !id.Same(s.Identity):
		return fmt.Errorf("read a slot on standby %s: it replays system %s on timeline %d, the primary is system %s on timeline %d",
			where, id.System, id.Timeline, s.Identity.System, s.Identity.Timeline)
	}
	if s.repl, err = s.Standby.Replication(ctx); err != nil {
		return err
	}
	if s.witness.conn, err = s.Standby.Replication(ctx); err != nil {
		return err
	}
	s.witness.id = s.Identity
	if err := s.witness.sees(ctx); err != nil {
		return err
	}
	return s.branched(ctx)
}

// branched makes sure that the timeline is not one of the same number that
// began elsewhere. RULES 11.
func (s *session) branched(ctx context.Context) error {
	ctx, cancel := s.ask(ctx)
	defer cancel()
	e, err := epoch.Read(ctx, s.witness.conn, s.Identity.System, s.Identity.Timeline)
	if err != nil {
		return err
	}
	if e.Switch != s.Epoch.Switch {
		return fmt.Errorf("read a slot on standby %s: its timeline %d began at %s, the primary's at %s",
			s.Standby.Address(), e.Timeline, e.Switch, s.Epoch.Switch)
	}
	return nil
}

var errOtherHistory = errors.New("the standby that carries the slot has left the primary's history")

// sees asks on which history the standby is now.
func (w *witness) sees(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, server.Patience)
	defer cancel()
	now, err := pglogrepl.IdentifySystem(ctx, w.conn)
	switch {
	case err != nil:
		return fmt.Errorf("ask which history the standby replays: %w", err)
	case now.SystemID != w.id.System || now.Timeline != w.id.Timeline:
		return fmt.Errorf("%w: it replays timeline %d of system %s", errOtherHistory, now.Timeline, now.SystemID)
	}
	return nil
}

// genuine makes sure that commits which a standby sent are the primary's, whose
// WAL ends at insert or later.
func (s *session) genuine(ctx context.Context, commits []gate.Commit, insert pglogrepl.LSN) error {
	if s.witness.conn == nil || len(commits) == 0 {
		return nil
	}
	if end := commits[len(commits)-1].End; end > insert {
		return fmt.Errorf("%w: it sent a commit that ends at %s, the primary's WAL stands at %s", errOtherHistory, end, insert)
	}
	return s.witness.sees(ctx)
}

// hasten has the primary log which transactions run: a standby cannot make a
// slot before it has replayed that. Without the right to call it, or on a
// primary that knows no such function, the next one comes by itself within 15
// seconds of some writing.
func (s *session) hasten(ctx context.Context) {
	if s.Standby == nil {
		return
	}
	ctx, cancel := s.ask(ctx)
	defer cancel()
	_, _ = s.sql.Exec(ctx, "SELECT pg_log_standby_snapshot()")
}

func closeSQL(ctx context.Context, conn *pgx.Conn) {
	if conn != nil {
		_ = conn.Close(ctx) // what mattered has been returned
	}
}

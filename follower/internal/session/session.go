// Package session reads a logical-replication slot: one life of one
// replication connection, from connecting to the first error.
//
// Two goroutines work in it. The reader owns the replication connection for
// reading and for replies: it decodes, and puts each commit into the gate's
// queue. The gatekeeper owns an SQL session: it asks which of the queued
// commits have become visible, and hands those on. Whatever fails ends the
// session; the caller begins another, and what was pending is dropped with it
// (RULES 2), for the slot sends it again.
package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark-pg/tidemark/decoder"
	"github.com/tidemark-pg/tidemark/follower/internal/epoch"
	"github.com/tidemark-pg/tidemark/follower/internal/gate"
	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

// Config describes one session.
type Config struct {
	Dialer *server.Dialer
	// Identity of the server that the other sessions of the follower talk to.
	// Another one is refused. RULES 3.
	Identity server.Identity
	// Standby opens connections to the standby that carries the slot; nil: the
	// primary carries it. Only temporary slots. Epoch is the primary's history.
	Standby *server.Dialer
	Epoch   epoch.Epoch
	Slot    Slot
	// Publications to read, by exact name.
	Publications []string
	// Routes say what to make of each relation's rows.
	Routes Routes
	// Positions is the table of announced positions; nil: no stream is announced.
	Positions *Positions
	// Resync: what the slot holds cannot or need not be decoded; advance it
	// beyond everything written so far before reading. RULES 10.
	Resync bool
	// Matches reports whether a value of synchronous_standby_names names us.
	Matches func(setting string) bool
	// Log takes what an operator acts on.
	Log *slog.Logger
	// Receiver takes what the session finds out.
	Receiver Receiver
}

// Receiver is told what a session finds out. Its methods are called from the
// session's goroutines, never two at a time for Visible.
type Receiver interface {
	// Visible takes commits that every new snapshot sees, in order of commit.
	// They belong to the receiver until it returns. seen is an insert position
	// read after they had become visible.
	Visible(commits []gate.Commit, seen pglogrepl.LSN)
	// Passed tells that every commit up to there has been decoded and has
	// passed the gate.
	Passed(lsn pglogrepl.LSN)
	// Phase tells how far the session has come.
	Phase(p Phase)
	// Jumped tells that the slot starts at a place from which earlier rows
	// will not be sent: it is new, or was advanced. It is called before the
	// first row and may use conn to load what was jumped over.
	Jumped(ctx context.Context, conn *pgx.Conn) error
}

// Phase is a step of a session's life.
type Phase struct {
	Step Step
	// Detail is one sentence for a person, where there is something to say.
	Detail string
	// Again: it says for how long what was told before has lasted.
	Again bool
}

// Step is how far a session has come.
type Step int

const (
	// Connecting to the server.
	Connecting Step = iota
	// Creating the slot, which waits for every open write transaction.
	Creating
	// Skipping what the slot holds.
	Skipping
	// Streaming: rows arrive as they are committed.
	Streaming
)

// RequirementError ends a session whose rows do not have what a stream needs.
type RequirementError struct {
	Stream        int // the caller's number
	Table, Column string
	Problem       string
}

// Error names the table and the column.
func (e *RequirementError) Error() string {
	return fmt.Sprintf("table %s, column %q: %s", e.Table, e.Column, e.Problem)
}

// SynchronousError: synchronous_standby_names takes Tidemark for a standby, so
// that writers would wait for it while it waits for them. RULES 1.
type SynchronousError struct{ Setting string }

// Error says what to do.
func (e *SynchronousError) Error() string {
	return fmt.Sprintf("synchronous_standby_names matches Tidemark: name your standbys (it is %q)", e.Setting)
}

// session is the state that both goroutines share.
type session struct {
	Config
	repl *pgconn.PgConn
	sql  *pgx.Conn // to the primary
	slot *pgx.Conn // to the server that carries the slot; may be sql
	// witness is there where a standby carries the slot.
	witness witness
	pipe    pipe
	// lose ends the session: a connection is of no more use, for that reason.
	lose context.CancelCauseFunc
}

// Run is one life of the session. It returns when ctx ends, with an orderly
// end of the replication connection, or with the error that ended it.
func Run(ctx context.Context, cfg Config) error {
	s := &session{Config: cfg}
	s.pipe.init()
	asked := ctx
	defer func() { s.close(asked.Err() != nil) }()
	ctx, s.lose = context.WithCancelCause(ctx)
	defer s.lose(nil)
	if err := s.connect(ctx); err != nil {
		return err
	}
	jumped, err := s.ready(ctx)
	if err != nil {
		return err
	}
	if jumped {
		// What it begins with ctx may go on for as long as the session does.
		load := func() error { return s.Receiver.Jumped(ctx, s.sql) }
		if err := s.attended(ctx, load); err != nil {
			return fmt.Errorf("load what was jumped over: %w", err)
		}
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	s.Receiver.Phase(Phase{Step: Streaming})
	return s.stream(ctx)
}

// stream runs the two goroutines until one of them ends.
func (s *session) stream(ctx context.Context) error {
	dec, err := decoder.New(decoder.Config{})
	if err != nil {
		return fmt.Errorf("make decoder: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return newReader(s, dec).run(ctx) })
	group.Go(func() error { return (&gatekeeper{session: s}).run(ctx) })
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return ctx.Err()
}

// connect opens both connections and proves that they reached the server that
// the follower talks to. RULES 3.
func (s *session) connect(ctx context.Context) error {
	s.Receiver.Phase(Phase{Step: Connecting})
	var err error
	var id server.Identity
	if s.sql, id, err = s.Dialer.SQL(ctx); err != nil {
		return err
	}
	if err := s.Identity.Expect(id); err != nil {
		return fmt.Errorf("connect to %s: %w", s.Dialer.Address(), err)
	}
	if s.Standby != nil {
		return s.connectStandby(ctx)
	}
	s.slot = s.sql
	if s.repl, err = s.Dialer.Replication(ctx); err != nil {
		return err
	}
	identified, err := pglogrepl.IdentifySystem(ctx, s.repl)
	if err != nil {
		return fmt.Errorf("identify server: %w", err)
	}
	if identified.SystemID != id.System || identified.Timeline != id.Timeline {
		return fmt.Errorf("connect to %s: the replication connection reached system %s on timeline %d, the SQL session system %s on timeline %d",
			s.Dialer.Address(), identified.SystemID, identified.Timeline, id.System, id.Timeline)
	}
	return nil
}

// leaveWithin is how long an orderly end waits for the server to let go.
const leaveWithin = 2 * time.Second

// close ends both connections. After an orderly end the slot is free when it
// returns; a connection that has failed is not waited for.
func (s *session) close(orderly bool) {
	ctx, cancel := context.WithTimeout(context.Background(), server.Patience)
	defer cancel()
	// Errors of closing change nothing: what mattered has been returned.
	if s.repl != nil {
		if orderly {
			s.leave(ctx)
		}
		_ = s.repl.Close(ctx)
	}
	if s.witness.conn != nil {
		_ = s.witness.conn.Close(ctx)
	}
	closeSQL(ctx, s.slot)
	closeSQL(ctx, s.sql)
}

// leave says goodbye and waits for the server to end the connection, which it
// does after it has released the slot. The driver's Close does not wait. A
// connection broken off in the middle of a command has the command cancelled.
func (s *session) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leaveWithin)
	defer cancel()
	if s.repl.IsClosed() {
		select {
		case <-s.repl.CleanupDone():
		case <-ctx.Done():
		}
		return
	}
	conn := s.repl.Conn()
	_ = conn.SetDeadline(time.Now().Add(leaveWithin)) // without it the copy ends at the last deadline
	s.repl.Frontend().Send(&pgproto3.Terminate{})
	if s.repl.Frontend().Flush() == nil {
		_, _ = io.Copy(io.Discard, conn) // what is still on its way will be sent again
	}
}

// ask bounds a short statement of the SQL session: a server that says nothing
// is gone.
func (s *session) ask(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, server.Patience)
}

// since reports whether more than d has passed between then and now.
func since(then, now time.Time, d time.Duration) bool { return now.Sub(then) > d }

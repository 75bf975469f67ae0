package tail

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/internal/catalog"
	"github.com/tidemark-pg/tidemark/follower/internal/epoch"
	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

// session is a connection that has proved fit to read the stream, and what the
// catalog said of it.
type session struct {
	conn    *pgx.Conn
	query   string
	history epoch.Stream
	used    time.Time
}

// settings of a reading session. row_security: a policy that appears later
// makes the query fail instead of hiding rows (RULES 22). plan_cache_mode: a
// generic plan does not know how short a page is.
const settings = `SELECT set_config('row_security', 'off', false),
	set_config('lock_timeout', '0', false),
	set_config('statement_timeout', '0', false),
	set_config('idle_session_timeout', '0', false),
	set_config('default_transaction_isolation', 'read committed', false),
	set_config('default_transaction_read_only', 'on', false),
	set_config('plan_cache_mode', 'force_custom_plan', false)`

// open connects, makes sure of the server, and looks at the catalog.
func (t *Tail) open(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, 6*server.Patience)
	defer cancel()
	history, ok := epoch.Parse(t.epoch)
	if !ok {
		return nil, fmt.Errorf("%w: their epoch is %q, which no follower writes", errOtherSystem, t.epoch)
	}
	conn, err := t.connect(ctx)
	if err != nil {
		return nil, &lostError{err}
	}
	s := &session{conn: conn, history: history, used: time.Now()}
	if err := t.prepare(ctx, s); err != nil {
		if conn.IsClosed() {
			err = &lostError{err}
		}
		s.close(ctx)
		return nil, err
	}
	return s, nil
}

func (s *session) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = s.conn.Close(ctx) // whatever it says, we are done with it
}

func (t *Tail) prepare(ctx context.Context, s *session) error {
	if err := t.trust(ctx, s); err != nil {
		return err
	}
	if _, err := s.conn.Exec(ctx, settings); err != nil {
		return fmt.Errorf("prepare session: %w", err)
	}
	snapshot, err := catalog.Inspect(ctx, s.conn, t.spec())
	if err != nil {
		return fmt.Errorf("look at the catalog: %w", err)
	}
	for _, f := range snapshot.Findings {
		if !f.OK && f.Table != "" {
			return &follower.RequirementError{Requirement: f.Name, Detail: f.Detail, Fix: f.Fix}
		}
	}
	s.query = pageQuery(snapshot.Streams[0])
	return nil
}

// spec asks the catalog for what reading needs: no slot, no positions table.
func (t *Tail) spec() catalog.Spec {
	c := t.cfg.Stream
	stream := catalog.Stream{Name: c.Name, Descending: c.Descending, Sequence: c.Sequence}
	for _, table := range c.Tables {
		stream.Tables = append(stream.Tables, catalog.Table(table))
	}
	return catalog.Spec{
		Publication: follower.DefaultPublication, Slot: catalog.SlotSpec{Kind: catalog.SlotNone},
		ApplicationName: DefaultApplicationName, Streams: []catalog.Stream{stream},
	}
}

// trust makes sure that a new connection shows what the position covers: it
// reaches the same system, on the timeline that positions come from, and this
// stands at or beyond the position's LSN. What stands behind may catch up, or
// the next connection reach another server, so it is tried again. RULES 3, 11.
//
// Readers on standbys (RULES 13, 14) get their test here: replay instead of
// insert position, once for each connection.
func (t *Tail) trust(ctx context.Context, s *session) error {
	var recovering bool
	if err := s.conn.QueryRow(ctx, "SELECT pg_catalog.pg_is_in_recovery()").Scan(&recovering); err != nil {
		return fmt.Errorf("identify server: %w", err)
	}
	if recovering {
		return errStandby
	}
	id, err := server.IdentifyAgain(ctx, s.conn)
	if err != nil {
		return err
	}
	switch lsn := t.cfg.Positions.Status().LSN; {
	case s.history.System != id.System:
		return fmt.Errorf("%w: they come from system %s, this is %s", errOtherSystem, s.history.System, id.System)
	case s.history.Timeline != id.Timeline:
		return &lostError{fmt.Errorf("reached timeline %d, positions come from timeline %d", id.Timeline, s.history.Timeline)}
	case id.Insert < lsn:
		return &lostError{fmt.Errorf("the server's WAL stands at %s, behind %s, where the position was found", id.Insert, lsn)}
	}
	return nil
}

var (
	errStandby     = errors.New("the server is a standby, which may not show yet what the position covers: connect to the primary")
	errOtherSystem = errors.New("the positions are another server's")
)

// alive makes sure that a connection that has been idle still has somebody at
// its other end: a cut cable says nothing.
func (s *session) alive(ctx context.Context) error {
	if time.Since(s.used) < time.Second {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, server.Patience)
	defer cancel()
	if err := s.conn.Ping(ctx); err != nil {
		return &lostError{fmt.Errorf("the connection was lost: %w", err)}
	}
	return nil
}

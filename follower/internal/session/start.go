package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// start begins to stream, and proves that slot and SQL session are on one
// server and that no writer waits for us. RULES 1 and 3.
func (s *session) start(ctx context.Context) error {
	if err := s.startReplication(ctx); err != nil {
		return s.explain(ctx, "read slot", err)
	}
	if pid := s.reader(ctx); pid != int32(s.repl.PID()) {
		return fmt.Errorf("read slot %q: its reader is pid %d, our walsender is pid %d: both connections must reach the same server directly, not through a pooler",
			s.Slot.Name, pid, s.repl.PID())
	}
	return s.asynchronous(ctx)
}

// startReplication sends START_REPLICATION and waits for the stream to open.
// Values come as text: then an instance column may be of any type.
func (s *session) startReplication(ctx context.Context) error {
	names := make([]string, len(s.Publications))
	for i, p := range s.Publications {
		names[i] = pgx.Identifier{p}.Sanitize()
	}
	list := strings.ReplaceAll(strings.Join(names, ","), "'", "''")
	command := fmt.Sprintf("START_REPLICATION SLOT %s LOGICAL 0/0 (proto_version '1', publication_names '%s')",
		pgx.Identifier{s.Slot.Name}.Sanitize(), list)
	front := s.repl.Frontend()
	front.SendQuery(&pgproto3.Query{String: command})
	if err := front.Flush(); err != nil {
		return err
	}
	for {
		ctx, cancel := s.ask(ctx)
		msg, err := s.repl.ReceiveMessage(ctx)
		cancel()
		if err != nil {
			return err
		}
		switch m := msg.(type) {
		case *pgproto3.CopyBothResponse:
			return nil
		case *pgproto3.ErrorResponse:
			return pgconn.ErrorResponseToPgError(m)
		case *pgproto3.NoticeResponse, *pgproto3.ParameterStatus:
		default:
			return fmt.Errorf("the server answered with %T", msg)
		}
	}
}

// asynchronous makes sure that the server does not count us as a synchronous
// standby. A role without pg_read_all_stats sees no sync_state even of its own
// walsender; the catalog checks match the setting's names as well. RULES 1.
func (s *session) asynchronous(ctx context.Context) error {
	if s.Standby != nil {
		return nil // nobody waits for those who read a standby
	}
	ctx, cancel := s.ask(ctx)
	defer cancel()
	var state *string
	var setting string
	err := s.sql.QueryRow(ctx, `SELECT (SELECT sync_state FROM pg_stat_replication WHERE pid = $1),
		current_setting('synchronous_standby_names')`, int32(s.repl.PID())).Scan(&state, &setting)
	if err != nil {
		return fmt.Errorf("look whether writers wait for us: %w", err)
	}
	matches := setting != "" && s.Matches != nil && s.Matches(setting)
	if matches || (state != nil && *state != "async") {
		return &SynchronousError{Setting: setting}
	}
	return nil
}

// Release wakes writers that already wait for a walsender that was taken for a
// standby and is gone: they look again when the next standby replies, so it is
// given something to reply to. RULES 1.
func Release(ctx context.Context, conn *pgx.Conn) error {
	for i := range 5 {
		if i > 0 {
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := ForceFlush(ctx, conn); err != nil {
			return err
		}
	}
	return nil
}

// ForceFlush writes a little WAL and flushes all of it. It commits locally, so
// that a missing synchronous standby cannot hang it. A transaction that wrote
// no WAL would not flush. RULES 9.
func ForceFlush(ctx context.Context, conn *pgx.Conn) error {
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "SET LOCAL synchronous_commit = local")
		_, emitted := tx.Exec(ctx, "SELECT pg_logical_emit_message(true, 'tidemark', '')")
		return errors.Join(err, emitted)
	})
	if err != nil {
		return fmt.Errorf("force the WAL to disk: %w", err)
	}
	return nil
}

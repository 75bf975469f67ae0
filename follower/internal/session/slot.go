package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

// Slot is the slot to read.
type Slot struct {
	Name      string
	Temporary bool
	Failover  bool  // PostgreSQL 17+
	SkipAhead int64 // bytes; 0 = never
}

// BusyError: another consumer reads the slot. PID is 0 where it left meanwhile.
type BusyError struct {
	Slot string
	PID  int32
}

// Error names the slot and its reader.
func (e *BusyError) Error() string {
	return fmt.Sprintf("slot %q is read by another process (pid %d)", e.Slot, e.PID)
}

// ready makes sure that the slot is there and worth reading. It reports whether
// rows were jumped over.
func (s *session) ready(ctx context.Context) (jumped bool, err error) {
	if s.Slot.Temporary {
		return true, s.create(ctx)
	}
	found, err := s.inspect(ctx)
	if err != nil {
		return false, err
	}
	if found.exists && found.lost {
		s.Log.Error("slot was invalidated by the server: making it anew", "slot", s.Slot.Name)
		if err := s.drop(ctx); err != nil {
			return false, err
		}
		found.exists = false
	}
	if !found.exists {
		s.Log.Warn("slot is missing: making it", "slot", s.Slot.Name)
		return true, s.create(ctx)
	}
	behind := s.Slot.SkipAhead > 0 && found.lag > s.Slot.SkipAhead
	if !s.Resync && !behind {
		return false, nil
	}
	return true, s.skip(ctx, found.lag)
}

// found is what there is of a permanent slot.
type found struct {
	exists, lost bool
	lag          int64 // bytes of WAL that it would have to read
}

func (s *session) inspect(ctx context.Context) (found, error) {
	ctx, cancel := s.ask(ctx)
	defer cancel()
	var f found
	var pid int32
	err := s.sql.QueryRow(ctx, `SELECT coalesce(active_pid, 0), coalesce(wal_status = 'lost', false),
		coalesce(pg_current_wal_insert_lsn() - confirmed_flush_lsn, 0)::int8
		FROM pg_replication_slots WHERE slot_name = $1`, s.Slot.Name).Scan(&pid, &f.lost, &f.lag)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return found{}, nil
	case err != nil:
		return found{}, fmt.Errorf("look at slot %q: %w", s.Slot.Name, err)
	case pid != 0:
		return found{}, &BusyError{Slot: s.Slot.Name, PID: pid}
	}
	f.exists = true
	return f, nil
}

// create makes the slot on the replication connection. The server waits for
// every open write transaction first (DESIGN fact 5), however long that takes.
func (s *session) create(ctx context.Context) error {
	s.Receiver.Phase(s.making("the write transactions that are open"))
	defer s.tellWaits(ctx)()
	// https://www.postgresql.org/docs/current/protocol-replication.html
	command := "CREATE_REPLICATION_SLOT " + pgx.Identifier{s.Slot.Name}.Sanitize()
	if s.Slot.Temporary {
		command += " TEMPORARY"
	}
	command += " LOGICAL pgoutput (SNAPSHOT 'nothing'"
	if s.Slot.Failover {
		command += ", FAILOVER"
	}
	_, err := s.repl.Exec(ctx, command+")").ReadAll()
	if lost := context.Cause(ctx); err != nil && lost != nil {
		err = lost
	}
	if err != nil {
		return fmt.Errorf("make slot %q: %w", s.Slot.Name, err)
	}
	return nil
}

// making says that the slot is being made, and whom that waits for.
func (s *session) making(writers string) Phase {
	return Phase{Step: Creating, Detail: fmt.Sprintf("slot %q is being made, which waits for %s", s.Slot.Name, writers)}
}

func (s *session) drop(ctx context.Context) error {
	ctx, cancel := s.ask(ctx)
	defer cancel()
	_, err := s.sql.Exec(ctx, "SELECT pg_drop_replication_slot($1)", s.Slot.Name)
	return s.explain(ctx, "drop slot", err)
}

// explain says what was being done to the slot, and who reads it if that is
// the reason. A slot in use is reported so whichever statement met it.
func (s *session) explain(ctx context.Context, doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case server.Code(err) == server.CodeObjectInUse:
		return &BusyError{Slot: s.Slot.Name, PID: s.reader(ctx)}
	}
	return fmt.Errorf("%s %q: %w", doing, s.Slot.Name, err)
}

// reader is who reads the slot now; 0 where nobody does or it cannot be told.
func (s *session) reader(ctx context.Context) int32 {
	ctx, cancel := s.ask(ctx)
	defer cancel()
	var pid int32
	err := s.slot.QueryRow(ctx, `SELECT coalesce(active_pid, 0) FROM pg_replication_slots WHERE slot_name = $1`,
		s.Slot.Name).Scan(&pid)
	if err != nil {
		return 0
	}
	return pid
}

package setup

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower"
)

// slot is a replication slot as the server shows it. pid is 0 where nobody
// is connected; plugin and database are empty for physical slots.
type slot struct {
	name, plugin, database, walStatus string
	pid                               int
	temporary, failover               bool
}

func (c catalog) findSlot(ctx context.Context, name string) (*slot, error) {
	s := &slot{name: name}
	err := c.conn.QueryRow(ctx, `
		SELECT coalesce(s.plugin::text, ''), coalesce(s.database::text, ''), coalesce(s.wal_status, ''), coalesce(s.active_pid, 0), s.temporary,
		       coalesce((to_jsonb(s) ->> 'failover')::bool, false)
		FROM pg_catalog.pg_replication_slots s WHERE s.slot_name = $1`, name).
		Scan(&s.plugin, &s.database, &s.walStatus, &s.pid, &s.temporary, &s.failover)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up slot %q: %w", name, err)
	}
	return s, nil
}

// slot plans the permanent slot. A slot that lost its WAL is made anew.
func (p *planner) slot(ctx context.Context) error {
	want := p.cfg.Follower.Slot
	if want.Kind != follower.SlotPermanent {
		return nil
	}
	s, err := p.findSlot(ctx, want.Name)
	if err != nil {
		return err
	}
	if s == nil {
		p.createSlot(want)
		return nil
	}
	if err := s.belongs(p.server.database); err != nil {
		return err
	}
	if s.walStatus == "lost" {
		p.dropSlot(s.name)
		p.createSlot(want)
		return nil
	}
	if want.Failover && !s.failover {
		return fmt.Errorf("slot %q is there without failover: run teardown, then setup, or set slot.failover to false", s.name)
	}
	return nil
}

// belongs refuses a slot that is not one of Tidemark's in this database.
func (s *slot) belongs(database string) error {
	const mend = "choose another slot.name, or drop that slot"
	switch {
	case s.plugin == "":
		return fmt.Errorf("slot %q is a physical slot: %s", s.name, mend)
	case s.plugin != "pgoutput":
		return fmt.Errorf("slot %q uses plugin %s, not pgoutput: %s", s.name, s.plugin, mend)
	case s.database != database:
		return fmt.Errorf("slot %q belongs to database %q, not %q: %s", s.name, s.database, database, mend)
	case s.temporary:
		return fmt.Errorf("slot %q is a temporary slot of the session with pid %d: choose another slot.name, or end that session", s.name, s.pid)
	}
	return nil
}

func (p *planner) createSlot(want follower.SlotConfig) {
	arguments := literal(want.Name) + ", 'pgoutput', false, false"
	if want.Failover {
		arguments += ", true"
	}
	p.alone(fmt.Sprintf("create slot %q (waits until every transaction that is writing now has ended)", want.Name),
		"SELECT pg_catalog.pg_create_logical_replication_slot("+arguments+")")
}

func (p *planner) dropSlot(name string) {
	p.alone(fmt.Sprintf("drop slot %q", name), "SELECT pg_catalog.pg_drop_replication_slot("+literal(name)+")")
}

func (p *planner) alone(doing, sql string) {
	p.statements = append(p.statements, Statement{Doing: doing, SQL: sql, Alone: true})
}

package setup

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/config"
)

// PlanTeardown returns what has to be run to take away what setup made for
// cfg: the slot first, because an abandoned one fills the disk, then the
// publications and the two positions tables. A publication that holds tables
// of others loses only ours; a table goes only if its comment says that setup
// made it; stream tables stay. The plan is empty when nothing is left. A slot
// that somebody reads is an error that names the reader's pid.
//
// The replica identity that setup gave to a positions table of others stays:
// it does no harm, and another publication may need it by now.
func PlanTeardown(ctx context.Context, conn *pgx.Conn, cfg *config.Config) ([]Statement, error) {
	p := &planner{catalog: catalog{conn}, cfg: cfg}
	for _, step := range []func(context.Context) error{
		p.serverForTeardown, p.teardownSlot, p.teardownStreams, p.teardownPositions, p.teardownPublished,
	} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("plan teardown: %w", oneLine(err))
		}
	}
	return p.statements, nil
}

func (p *planner) serverForTeardown(ctx context.Context) (err error) {
	p.server, err = p.lookAtServer(ctx)
	return err
}

func (p *planner) teardownSlot(ctx context.Context) error {
	want := p.cfg.Follower.Slot
	if want.Kind != follower.SlotPermanent {
		return nil
	}
	s, err := p.findSlot(ctx, want.Name)
	if err != nil || s == nil {
		return err
	}
	if err := s.belongs(p.server.database); err != nil {
		return err
	}
	if s.pid != 0 {
		return fmt.Errorf("slot %q is read by the process with pid %d: stop it first", s.name, s.pid)
	}
	p.dropSlot(s.name)
	return nil
}

func (p *planner) teardownStreams(ctx context.Context) error {
	var ours []wanted
	for _, name := range streamTableNames(p.cfg) {
		t, err := p.find(ctx, name)
		if err != nil {
			return err
		}
		if t != nil {
			ours = merge(ours, wanted{table: t})
		}
	}
	return p.dropPublication(ctx, p.cfg.Follower.Publication, ours)
}

func (p *planner) teardownPositions(ctx context.Context) error {
	if !announced(p.cfg) {
		return nil
	}
	t, err := p.find(ctx, p.cfg.Follower.PositionsTable)
	if err != nil {
		return err
	}
	var ours []wanted
	if t != nil {
		ours = []wanted{{table: t}}
	}
	if err := p.dropPublication(ctx, positionsPublication(p.cfg), ours); err != nil {
		return err
	}
	p.dropTable(t)
	return nil
}

func (p *planner) teardownPublished(ctx context.Context) error {
	if p.cfg.Published.Table == "" {
		return nil
	}
	t, err := p.find(ctx, p.cfg.Published.Table)
	if err != nil {
		return err
	}
	p.dropTable(t)
	return nil
}

// dropTable plans the end of a table that setup made, and of no other.
func (p *planner) dropTable(t *table) {
	if t != nil && strings.HasSuffix(t.comment, madeBySetup) {
		p.add("drop table "+t.sql(), "DROP TABLE %s", t.sql())
	}
}

// dropPublication plans the end of a publication, or of our entries in it. One
// for all tables or whole schemas was not made by setup.
func (p *planner) dropPublication(ctx context.Context, name string, ours []wanted) error {
	pub, err := p.findPublication(ctx, name)
	if err != nil || pub == nil || pub.usable() != nil {
		return err
	}
	if len(pub.others(ours)) == 0 {
		p.add(fmt.Sprintf("drop publication %q", name), "DROP PUBLICATION %s", identifier(name))
		return nil
	}
	for _, w := range ours {
		if pub.entry(w.table) != nil {
			p.add(fmt.Sprintf("take %s out of publication %q", w.table.sql(), name), "ALTER PUBLICATION %s DROP TABLE %s", identifier(name), w.table.entry())
		}
	}
	return nil
}

package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/slots"
	"github.com/tidemark-pg/tidemark/internal/metrics"
)

// watchSlots makes the watcher of all slots of the server, which also guards
// the daemon's own, and its metrics.
func (d *daemon) watchSlots() (err error) {
	var chronicle chronicle
	guard := guard{limit: d.cfg.Guard, slot: d.cfg.Follower.Slot.Name}
	if d.cfg.Follower.Slot.Kind != follower.SlotPermanent {
		guard.limit = 0
	}
	d.slots, err = slots.New(slots.Config{
		Database: d.cfg.Follower.Database, Logger: d.log,
		SampledFunc: func(ctx context.Context, conn *pgx.Conn, r slots.Report) error {
			for _, e := range chronicle.add(time.Now(), r.Slots) {
				d.log.LogAttrs(ctx, e.level, e.message, e.attrs...)
			}
			return d.guardSlot(ctx, conn, &guard, r.Slots)
		},
	})
	if err != nil {
		return err
	}
	return d.metrics.Register(metrics.NewSlots(d.slots.Report))
}

// reportSlots answers /v1/slots.
func (d *daemon) reportSlots(context.Context) (any, error) {
	r, err := d.slots.Report()
	return r.Slots, err
}

// guardSlot drops the daemon's own slot where it must be.
func (d *daemon) guardSlot(ctx context.Context, conn *pgx.Conn, g *guard, seen []slots.Slot) error {
	if !g.exceeded(seen) {
		return nil
	}
	kept, dropped, err := g.drop(ctx, conn)
	if err != nil {
		return fmt.Errorf("drop slot %s, which slot.guard asks for: %w", g.slot, err)
	}
	if dropped {
		d.log.WarnContext(ctx, "slot dropped: nobody reads it and it keeps more than slot.guard; it is made anew, and the streams are loaded again, when it can be read",
			"slot", g.slot, "retained", slots.HumanSize(kept), "guard", slots.HumanSize(g.limit))
	}
	return nil
}

package follower

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pglogrepl"

	"github.com/tidemark-pg/tidemark/follower/internal/gate"
	"github.com/tidemark-pg/tidemark/tracker"
)

// tables is what the database is asked for while an announced stream is
// loaded: a question each.
type tables interface {
	// published is the position that the stream was last published at, by
	// whichever daemon, in this epoch; not valid where none is kept.
	published(ctx context.Context) kept
	// drawn is the sequence's last value.
	drawn(ctx context.Context) (int64, error)
	// registering lists the transactions that may be writing positions.
	registering(ctx context.Context) ([]string, error)
	// writing reports whether one of them still is.
	writing(ctx context.Context, registering []string) (bool, error)
	// positions reads the stored ones.
	positions(ctx context.Context) (loaded, error)
	// rows tells found of the rows beyond above, in the order of their ids, with
	// a WAL position that covers them.
	rows(ctx context.Context, above int64, found func([]tracker.Event, pglogrepl.LSN)) error
	// shown has read read from one snapshot that is on disk, not before every
	// standby that is read shows it.
	shown(ctx context.Context, read func() error) error
}

// loaded is what was read of the positions table, and by which snapshot.
type loaded struct {
	snapshot  gate.Snapshot
	wal       pglogrepl.LSN // read after the snapshot was taken
	positions map[string]int64
}

// loading loads an announced stream, in the order of RULES 20: what is drawn,
// who may be registering, the positions, the rows.
type loading struct {
	*life
	from tables
}

// first loads before the slot is read. Where somebody holds the lock of the
// positions table, a registration may be under way that is neither in what was
// read nor will be decoded: then the minimum counts only up to what had been
// drawn, and the transactions to wait for are returned.
func (o loading) first(ctx context.Context) (registering []string, err error) {
	published := o.from.published(ctx)
	drawn, err := o.from.drawn(ctx)
	if err != nil {
		return nil, err
	}
	if registering, err = o.from.registering(ctx); err != nil {
		return nil, err
	}
	o.tracker.Cap(o.of.outward(drawn))
	if err := o.read(ctx, published, true); err != nil {
		return nil, err
	}
	if len(registering) == 0 {
		o.done(drawn)
	}
	return registering, nil
}

// done ends the cap. Where no writer is registered none has an id open: each
// registers before it first draws (RULES 15), and leaves after its last.
func (o loading) done(drawn int64) {
	l := o.life
	l.mu.Lock()
	nobody := l.registeredLocked() == 0 && len(l.of.cfg.Writers) == 0
	l.mu.Unlock()
	if nobody {
		l.tracker.Settle(l.of.outward(drawn))
	}
	l.tracker.Uncap()
}

// second waits until all who may have been registering have ended, and then
// reads positions and rows again.
func (o loading) second(ctx context.Context, registering []string) error {
	drawn := int64(0)
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		writing, err := o.from.writing(ctx, registering)
		if err != nil {
			return err
		}
		if !writing {
			break
		}
		sleep(ctx, pause)
	}
	if err := o.read(ctx, kept{}, false); err != nil {
		return err
	}
	o.done(drawn)
	return nil
}

// read loads the stored positions, and then the rows above the minimum, or above
// what has been published: that has been read before the snapshot was taken.
func (o loading) read(ctx context.Context, published kept, first bool) error {
	return o.from.shown(ctx, func() error {
		o.resume(published)
		got, err := o.from.positions(ctx)
		if err != nil {
			return err
		}
		drawn, err := o.from.drawn(ctx) // after the snapshot: whatever that shows had been drawn
		if err != nil {
			return err
		}
		if err := o.of.notAhead(got.positions, drawn); err != nil {
			return err
		}
		o.know(got, first)
		return o.from.rows(ctx, o.tracker.CurrentToken(), func(events []tracker.Event, wal pglogrepl.LSN) {
			o.found(o.of.within(events, drawn), wal)
		})
	})
}

// know applies the positions that were read.
func (l *life) know(got loaded, first bool) {
	l.applying.Lock()
	defer l.applying.Unlock()
	l.tracker.Apply(l.stored(got, first))
}

// resume goes on from what was published before: a writer that has registered
// since with a value from before, an id that is dead and a row that has been
// deleted would have the position go back. It does not become known by that:
// after a crash the last moves need not have been kept. RULES 12.
func (l *life) resume(k kept) {
	if !k.valid {
		return
	}
	l.mu.Lock()
	l.mu.lsn = max(l.mu.lsn, k.lsn) // before P moves
	l.mu.audit.published(k.position, k.lsn)
	l.mu.Unlock()
	l.tracker.Settle(l.of.outward(k.position))
}

// within drops the rows beyond what has been drawn: they are from before the ids
// started over.
func (s *Stream) within(events []tracker.Event, drawn int64) []tracker.Event {
	return slices.DeleteFunc(events, func(e tracker.Event) bool { return s.inward(e.To) > drawn })
}

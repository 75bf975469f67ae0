package torture

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// kind is a kind of fault.
type kind struct {
	name string
	// quick: it costs little time, and is a part of the short run.
	quick bool
	// fits tells whether it can happen in a world; nil: in any.
	fits func(*world) bool
	// bring brings it about and ends it. errNot: it did not come about.
	bring func(ctx context.Context, w *world, rnd *rand.Rand) error
}

// kinds are all faults that there are.
func kinds() []kind {
	return slices.Concat(killings(), cables(), slots(), standbys(), definitions(), locks())
}

// recoverWithin is how soon everything must be well again after a fault.
const recoverWithin = 20 * time.Second

// faults brings about one fault after the other until the time is over.
func (w *world) faults(ctx context.Context, rnd *rand.Rand, end time.Time, all []kind) {
	for {
		w.pause(ctx, min(time.Until(end), time.Duration(200+rnd.IntN(1500))*time.Millisecond))
		if len(all) == 0 {
			w.pause(ctx, time.Until(end))
		}
		if !time.Now().Before(end) || w.failed.Load() || ctx.Err() != nil {
			return
		}
		w.fault(ctx, rand.New(rand.NewPCG(rnd.Uint64(), 0)), w.choose(rnd, all))
	}
}

// choose draws a kind that fits this world.
func (w *world) choose(rnd *rand.Rand, all []kind) kind {
	for range 1000 {
		k := all[rnd.IntN(len(all))]
		if k.fits == nil || k.fits(w) {
			return k
		}
	}
	return kind{name: "nothing", bring: func(context.Context, *world, *rand.Rand) error { return errNot }}
}

func (w *world) fault(ctx context.Context, rnd *rand.Rand, k kind) {
	w.t.Logf("%s: %s", time.Now().Format("15:04:05.000"), k.name)
	err := k.bring(ctx, w, rnd)
	ended := time.Now()
	switch {
	case ctx.Err() != nil:
		return
	case errors.Is(err, errNot):
		w.tally.skip(k.name)
		return
	case err != nil:
		w.fail("%s: %v", k.name, err)
		return
	}
	if err := w.recover(ctx); err != nil {
		w.unwell(k.name, err)
		return
	}
	w.tally.recovered(k.name, time.Since(ended))
}

// unwell says which streams are not well.
func (w *world) unwell(after string, err error) {
	w.fail("%s after %s: not well: %v", recoverWithin, after, err)
	for _, f := range w.followers {
		for _, s := range w.streams {
			w.t.Logf("%s: %+v", f.name, f.status(s))
		}
	}
}

// recover writes a row into every stream, and returns once every stream is
// followed and covers it.
func (w *world) recover(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, recoverWithin)
	defer cancel()
	ids := make(map[*stream]int64)
	for _, s := range w.streams {
		err := w.on(ctx, func(conn *pgx.Conn) (err error) {
			ids[s], err = w.probe(ctx, conn, s)
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, f := range w.followers {
		for _, s := range w.streams {
			if err := w.awaitPosition(ctx, f, s, ids[s]); err != nil {
				return err
			}
		}
	}
	return nil
}

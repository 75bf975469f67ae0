package torture

import (
	"context"
	"errors"
	"fmt"
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
	// often: it is drawn more often than others.
	often bool
	// beside: it may happen while another does.
	beside bool
	// fits tells whether it can happen in a world; nil: in any.
	fits func(*world) bool
	// bring brings it about and ends it. errNot: it did not come about.
	bring func(ctx context.Context, w *world, rnd *rand.Rand) error
}

// kinds are all faults that there are.
func kinds() []kind {
	return slices.Concat(killings(), cables(), slots(), standbys(), definitions(), locks(), daemonKinds(), disks(), clocks())
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
		w.fault(ctx, rand.New(rand.NewPCG(rnd.Uint64(), 0)), all)
	}
}

// choose draws a kind that fits this world, and that may be.
func (w *world) choose(rnd *rand.Rand, all []kind, may func(kind) bool) (kind, bool) {
	var fit []kind
	for _, k := range all {
		if (k.fits != nil && !k.fits(w)) || !may(k) {
			continue
		}
		fit = append(fit, k)
		if k.often {
			fit = append(fit, k, k, k)
		}
	}
	if len(fit) == 0 {
		return kind{}, false
	}
	return fit[rnd.IntN(len(fit))], true
}

// fault brings about one fault, or two at once.
func (w *world) fault(ctx context.Context, rnd *rand.Rand, all []kind) {
	k, ok := w.choose(rnd, all, func(kind) bool { return true })
	if !ok {
		return
	}
	both := rnd.IntN(3) == 0
	if !both || !k.beside {
		w.bring(ctx, k.name, func() error { return k.bring(ctx, w, rnd) })
		return
	}
	other, ok := w.choose(rnd, all, func(o kind) bool { return o.beside && o.name != k.name })
	if !ok {
		return
	}
	rnds := [2]*rand.Rand{rand.New(rand.NewPCG(rnd.Uint64(), 1)), rand.New(rand.NewPCG(rnd.Uint64(), 2))}
	w.t.Logf("%s + %s", k.name, other.name)
	w.bring(ctx, "two at once", func() error {
		failed := make(chan error, 1)
		go func() { failed <- other.bring(ctx, w, rnds[1]) }()
		err := k.bring(ctx, w, rnds[0])
		return errors.Join(ignoreNot(err), ignoreNot(<-failed))
	})
}

func ignoreNot(err error) error {
	if errors.Is(err, errNot) {
		return nil
	}
	return err
}

// bring brings a fault about, and measures how long all needs to be well again.
func (w *world) bring(ctx context.Context, name string, bring func() error) {
	w.t.Logf("%s: %s", time.Now().Format("15:04:05.000"), name)
	err := bring()
	ended := time.Now()
	switch {
	case ctx.Err() != nil:
		return
	case errors.Is(err, errNot):
		w.tally.skip(name)
		return
	case err != nil:
		w.fail("%s: %v", name, err)
		return
	}
	if err := w.recover(ctx); err != nil {
		w.unwell(name, err)
		return
	}
	took := time.Since(ended)
	w.t.Logf("%s: well after %s", name, rounded(took))
	w.tally.recovered(name, took)
}

// unwell says which streams are not well.
func (w *world) unwell(after string, err error) {
	w.fail("%s after %s: not well: %v", recoverWithin, after, err)
	w.t.Log(w.standing())
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
	for _, f := range w.sources() {
		for _, s := range w.streams {
			if err := w.awaitPosition(ctx, f, s, ids[s]); err != nil {
				return fmt.Errorf("%s, stream %s: %w", f.label(), s.name, err)
			}
		}
	}
	for _, s := range w.streams {
		if err := w.awaitKept(ctx, s, ids[s]); err != nil {
			return err
		}
	}
	return nil
}

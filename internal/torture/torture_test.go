package torture

import (
	"fmt"
	"testing"
	"time"
)

// worldTime is how long a world lasts.
const worldTime = 45 * time.Second

func TestTorture(t *testing.T) {
	t.Parallel()
	o := parsedOptions(t)
	for _, major := range majors(t) {
		t.Run(fmt.Sprintf("pg%d", major), func(t *testing.T) { torture(t, o, major) })
	}
}

// torture plays worlds until the time is over, or one has failed.
func torture(t *testing.T, o options, major int) {
	t.Logf("seed %d", o.seed)
	tally := newTally()
	version := fmt.Sprint(major)
	p := plan{roles: []role{alone, read, takeOver}, kinds: o.kinds}
	if *faultsFlag == "quick" {
		p.roles = []role{alone} // a standby costs seconds
	}
	if p.has(clockJumps) {
		p.jumping = buildJumping(t)
	}
	began := time.Now()
	for left := o.duration; left > 0 && !t.Failed(); left -= worldTime {
		seed := o.seed + uint64(tally.worlds)
		tally.worlds++
		t.Run(fmt.Sprintf("seed%d", seed), func(t *testing.T) {
			w := newWorld(t, seed, major, tally, p)
			version = w.primary.Load().Binaries().Version
			w.run(min(left, worldTime), w.newReaders)
		})
	}
	t.Log(tally.table())
	t.Log(tally.figures(o, version, time.Since(began)))
	if tally.compared.Load() < 100 || tally.reads.Load() < 100 {
		t.Error("too few rows or reads: this proves nothing")
	}
}

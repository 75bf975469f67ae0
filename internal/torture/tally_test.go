package torture

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// tally is what a run counts.
type tally struct {
	transactions, reads, compared, misses, backward, late atomic.Int64

	worlds int

	mu       sync.Mutex // protects what follows
	recovery map[string][]time.Duration
	skipped  map[string]int
	base     sample
}

// sample is what the process uses while a world rests.
type sample struct {
	world      uint64
	goroutines int
	heap       uint64
}

// Within one world, what the process uses must not grow by more.
const (
	moreGoroutines = 40
	moreHeap       = 48 << 20
)

func newTally() *tally {
	return &tally{recovery: make(map[string][]time.Duration), skipped: make(map[string]int)}
}

// recovered notes how long the world took after a fault.
func (t *tally) recovered(kind string, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.recovery[kind] = append(t.recovery[kind], d)
}

// skip notes a fault that could not be brought about.
func (t *tally) skip(kind string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.skipped[kind]++
}

// resources compares what the process uses with the first round of the world.
func (t *tally) resources(w *world) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	now := sample{world: w.seed, goroutines: runtime.NumGoroutine(), heap: m.HeapAlloc}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.base.world != w.seed {
		t.base = now
		return
	}
	if now.goroutines > t.base.goroutines+moreGoroutines {
		w.fail("%d goroutines, there were %d", now.goroutines, t.base.goroutines)
	}
	if now.heap > t.base.heap+moreHeap {
		w.fail("%d MB of heap, there were %d", now.heap>>20, t.base.heap>>20)
	}
}

// figures are the run in one line.
func (t *tally) figures(o options, version string, took time.Duration) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, all := range t.recovery {
		n += len(all)
	}
	return fmt.Sprintf("torture: %.0f s, seed %d, pg %s, %d worlds, %d transactions, %d rows compared, %d position reads, misses = %d, backward = %d, late = %d, %d faults",
		took.Seconds(), o.seed, version, t.worlds, t.transactions.Load(), t.compared.Load(), t.reads.Load(),
		t.misses.Load(), t.backward.Load(), t.late.Load(), n)
}

// table is one line for each kind of fault: how often, how often it could not be
// brought about, and how long all needed to be well again.
func (t *tally) table() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	kinds := slices.Collect(maps.Keys(t.recovery))
	for name := range t.skipped {
		if t.recovery[name] == nil {
			kinds = append(kinds, name)
		}
	}
	slices.Sort(kinds)
	var text strings.Builder
	fmt.Fprintf(&text, "%-44s %6s %6s %9s %9s", "recovery by fault", "times", "not", "median", "max")
	for _, name := range kinds {
		all := slices.Sorted(slices.Values(t.recovery[name]))
		median, longest := "-", "-"
		if len(all) > 0 {
			median, longest = rounded(all[len(all)/2]), rounded(all[len(all)-1])
		}
		fmt.Fprintf(&text, "\n%-44s %6d %6d %9s %9s", name, len(all), t.skipped[name], median, longest)
	}
	return text.String()
}

func rounded(d time.Duration) string { return d.Round(10 * time.Millisecond).String() }

package rows

import (
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/tidemark-pg/tidemark/internal/bench/contest"
)

// batches into which timed operations are split. Each is shorter than the
// slice of time for which the system lets a thread run, so that most are not
// interrupted, and the median batch tells what the operation costs and not how
// busy the machine was.
const batches = 200

// perOperation times n operations, or a few more, and counts what each
// allocates.
func perOperation(n int, work func(n int)) (nanoseconds, allocations float64) {
	runtime.GC() // what was thrown away before is not ours
	each := n/batches + 1
	work(each) // warm
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	nanoseconds = medianBatch(each, work)
	runtime.ReadMemStats(&after)
	return nanoseconds, float64(after.Mallocs-before.Mallocs) / float64(each*batches)
}

func medianBatch(each int, work func(n int)) (nanoseconds float64) {
	took := make([]float64, batches)
	for i := range took {
		began := time.Now()
		work(each)
		took[i] = float64(time.Since(began).Nanoseconds()) / float64(each)
	}
	slices.Sort(took)
	return contest.Quantile(took, 0.5)
}

// onAllCores times n operations on each core at once: the slowest core's time.
func onAllCores(n int, work func(n int)) (nanoseconds float64) {
	var all sync.WaitGroup
	took := make([]float64, runtime.GOMAXPROCS(0))
	for i := range took {
		all.Go(func() { took[i] = medianBatch(n/batches+1, work) })
	}
	all.Wait()
	return slices.Max(took)
}

// milliseconds of a duration, with their fractions.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// hundredths cuts off what is below a hundredth: an allocation of the runtime's
// own among a million operations.
func hundredths(v float64) float64 { return float64(int(v*100)) / 100 }

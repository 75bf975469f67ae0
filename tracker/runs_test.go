package tracker

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// valid reports a broken invariant: runs ordered, apart, above p; no empty chunk.
func (s *runSet) valid(p int64) error {
	for i, c := range s.chunks {
		if c.n == 0 {
			return fmt.Errorf("chunk %d is empty", i)
		}
		for _, r := range c.runs[:c.n] {
			if r.from > r.to || r.from-1 <= p {
				return fmt.Errorf("run %d..%d after %d", r.from, r.to, p)
			}
			p = r.to
		}
	}
	return nil
}

func (s *runSet) count() (runs int) {
	for _, c := range s.chunks {
		runs += c.n
	}
	return runs
}

// TestRunsAgainstBitmap adds enough runs for many chunks, in bursts that are
// ordered, shuffled or closing, and compares with one boolean for each id.
func TestRunsAgainstBitmap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const last = 6000
		var s runSet
		done := make([]bool, last+200)
		p := int64(0)
		for range rapid.IntRange(1, 12).Draw(rt, "bursts") {
			rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
			fill := runBurst{
				start: p + rapid.Int64Range(0, 3000).Draw(rt, "start"), step: rapid.Int64Range(1, 4).Draw(rt, "step"),
				length: rapid.Int64Range(1, 3).Draw(rt, "length"), shuffled: rapid.Bool().Draw(rt, "shuffled"),
			}
			for _, r := range fill.runs(rnd, last) {
				if r.to <= p {
					continue
				}
				s.add(max(r.from, p+1), r.to)
				for id := max(r.from, p+1); id <= r.to; id++ {
					done[id] = true
				}
			}
			if rapid.Bool().Draw(rt, "settle") || done[p+1] {
				p = checkFollow(rt, &s, done, p+rapid.Int64Range(0, 900).Draw(rt, "up to"))
			}
			checkRuns(rt, &s, done, p)
		}
	})
}

type runBurst struct {
	start, step, length int64
	shuffled            bool
}

func (b runBurst) runs(rnd *rand.Rand, last int64) []run {
	var out []run
	for from := b.start + 1; from < last && len(out) < 1200; from += b.step {
		out = append(out, run{from, from + b.length - 1})
	}
	if b.shuffled {
		rnd.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	}
	return out
}

func checkFollow(t *rapid.T, s *runSet, done []bool, p int64) int64 {
	p = min(p, int64(len(done)-2))
	got := s.follow(p)
	for p+1 < int64(len(done)) && done[p+1] {
		p++
	}
	if got != p {
		t.Fatalf("follow = %d, want %d", got, p)
	}
	return p
}

func checkRuns(t *rapid.T, s *runSet, done []bool, p int64) {
	if err := s.valid(p); err != nil {
		t.Fatal(err)
	}
	held := make([]bool, len(done))
	for _, c := range s.chunks {
		for _, r := range c.runs[:c.n] {
			for id := r.from; id <= r.to; id++ {
				held[id] = true
			}
		}
	}
	if i := int(p) + 1; i < len(done) && !slices.Equal(held[i:], done[i:]) {
		t.Fatal("the runs are not the done ids")
	}
}

// TestRunsGiveMemoryBack closes most of many gaps in random order: sparse
// chunks must not stay behind.
func TestRunsGiveMemoryBack(t *testing.T) {
	const ids = 300_000
	var s runSet
	for _, i := range rand.New(rand.NewPCG(3, 4)).Perm(ids) {
		if i%100 > 0 {
			s.add(int64(i)+1, int64(i)+1)
		}
	}
	runs, chunks := s.count(), len(s.chunks)
	if runs != ids/100 || chunks > 2*runs/(chunkRuns/4) {
		t.Errorf("%d runs in %d chunks", runs, chunks)
	}
}

// TestOneOpenTransactionUnderAMillionIDs: 1 M ids with 15 % of random gaps wait
// above one open id.
func TestOneOpenTransactionUnderAMillionIDs(t *testing.T) {
	const ids = 1_000_000
	names, rnd := writerNames(8), rand.New(rand.NewPCG(5, 6))
	before := heapInUse()
	tr := newTracker(t, Config{})
	newest := int64(0)
	for id := int64(2); id < ids; id++ {
		if rnd.IntN(100) >= 15 {
			tr.Observe(names[id&7], id)
			newest = id
		}
	}
	used := int64(heapInUse()) - int64(before)
	runs, chunks := tr.mu.runs.count(), len(tr.mu.runs.chunks)
	t.Logf("%d runs in %d chunks, %d bytes", runs, chunks, used)
	if chunks > runs/chunkRuns+1 {
		t.Errorf("%d runs that came in order leave chunks half empty: %d", runs, chunks)
	}
	if used > 8<<20 {
		t.Errorf("%d bytes, want at most 8 MB", used)
	}
	if got := tr.CurrentToken(); got != 0 {
		t.Errorf("P = %d under the open id 1", got)
	}
	start := time.Now()
	moved := tr.Settle(newest - 1)
	if took := time.Since(start); took > 10*time.Millisecond {
		t.Errorf("Settle took %v", took)
	}
	if got := tr.CurrentToken(); !moved || got != newest {
		t.Errorf("P = %d, want %d", got, newest)
	}
	if got := tr.Positions()[names[newest&7]]; got != newest {
		t.Errorf("newest writer at %d, want %d", got, newest)
	}
	if n := tr.mu.runs.count(); n != 0 {
		t.Errorf("%d runs left", n)
	}
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestRunsAtTheEndOfInt64(t *testing.T) {
	var s runSet
	s.add(math.MaxInt64, math.MaxInt64)
	s.add(math.MaxInt64-2, math.MaxInt64-2)
	s.add(math.MaxInt64-1, math.MaxInt64-1)
	s.add(5, math.MaxInt64)
	if got := s.follow(4); got != math.MaxInt64 || !s.empty() {
		t.Errorf("follow = %d, %d runs left", got, s.count())
	}
}

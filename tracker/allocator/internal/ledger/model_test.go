package ledger

import (
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// world is a database with a sequence, the obvious way: everything is kept, and
// every Conclusion drawn anew from all of it.
type world struct {
	t      *rapid.T
	ledger *Ledger

	last    int64 // the sequence
	wal     LSN
	onDisk  LSN
	drawn   map[int64]LSN  // when the ids of this instance were drawn
	ended   map[int64]bool // finished
	fetch   int            // under way, 0 if none
	floor   int64          // what was known when it began
	passed  map[LSN]int64  // values of the sequence that the ledger was told, by WAL
	told    LSN            // flushed, as the ledger knows it
	stored  int64          // held at this
	held    bool
	values  []int64 // conclusions
	settled map[int64]int
}

// known is what the ledger can know to be passed and on disk.
func (w *world) known() int64 {
	known := int64(0)
	for at, value := range w.passed {
		if at <= w.told {
			known = max(known, value)
		}
	}
	return known
}

func (w *world) done(id int64) bool { return w.ended[id] && w.drawn[id] <= w.told }

// check compares the ledger's Conclusion with the definition.
func (w *world) check() {
	c := w.ledger.Take()
	want := w.known()
	if w.fetch != 0 {
		want = min(want, w.floor)
	}
	own := int64(0)
	for id := range w.drawn {
		if !w.done(id) {
			want = min(want, id-1)
		}
	}
	if w.held {
		want = min(want, w.stored)
	}
	for id := range w.drawn {
		if w.done(id) && id <= want {
			own = max(own, id)
		}
	}
	if c.Value != want {
		w.t.Fatalf("value %d, want %d", c.Value, want)
	}
	if !w.held && w.ledger.own < own {
		w.t.Fatalf("own position %d, want at least %d", w.ledger.own, own)
	}
	for id := range w.drawn {
		if !w.done(id) && w.ledger.own >= id {
			w.t.Fatalf("own position %d, %d is open", w.ledger.own, id)
		}
	}
	if len(w.values) > 0 && c.Value < w.values[len(w.values)-1] {
		w.t.Fatalf("value went back to %d from %d", c.Value, w.values[len(w.values)-1])
	}
	w.values = append(w.values, c.Value)
	for _, id := range c.Settled {
		w.settled[id]++
	}
	for id := range w.drawn {
		if got := w.settled[id]; got > 1 || (got == 1) != w.done(id) {
			w.t.Fatalf("id %d was reported done %d times; done: %v", id, got, w.done(id))
		}
	}
}

func (w *world) pick(ids func(id int64) bool) (int64, bool) {
	var all []int64
	for id := range w.drawn {
		if ids(id) {
			all = append(all, id)
		}
	}
	if len(all) == 0 {
		return 0, false
	}
	slices.Sort(all)
	return rapid.SampledFrom(all).Draw(w.t, "id"), true
}

func (w *world) advanceWAL() { w.wal += LSN(rapid.IntRange(0, 3).Draw(w.t, "wal")) }

// The ledger against the definition of RULES 17, in every order of events.
func TestLedgerAgainstItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{
			t: t, ledger: New(), drawn: map[int64]LSN{}, ended: map[int64]bool{},
			passed: map[LSN]int64{}, settled: map[int64]int{},
		}
		w.last = rapid.Int64Range(0, 5).Draw(t, "last")
		w.stored = rapid.Int64Range(0, w.last).Draw(t, "stored")
		w.held = rapid.Bool().Draw(t, "held")
		w.passed[0] = w.last
		w.ledger.Start(w.last, w.stored, w.held)
		now := time.Now()
		t.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) { w.check() },
			"others draw": func(*rapid.T) {
				w.last += int64(rapid.IntRange(1, 3).Draw(t, "n"))
				w.advanceWAL()
			},
			"begin": func(t *rapid.T) {
				if w.fetch != 0 {
					t.Skip()
				}
				w.floor = w.known()
				w.fetch = w.ledger.BeginFetch()
			},
			"end": func(t *rapid.T) {
				if w.fetch == 0 {
					t.Skip()
				}
				w.endFetch(rapid.IntRange(0, 3).Draw(t, "n"))
			},
			"finish": func(t *rapid.T) {
				id, ok := w.pick(func(id int64) bool { return !w.ended[id] })
				if !ok {
					t.Skip()
				}
				w.ended[id] = true
				w.ledger.Finish(id, now)
			},
			"finish twice": func(t *rapid.T) {
				id, ok := w.pick(func(id int64) bool { return w.done(id) })
				if !ok {
					t.Skip()
				}
				w.ledger.Finish(id, now)
			},
			"read": func(t *rapid.T) {
				if w.fetch != 0 {
					t.Skip() // one connection
				}
				w.advanceWAL()
				if w.last > w.seen() {
					w.passed[w.wal] = max(w.passed[w.wal], w.last)
				}
				if err := w.ledger.Read(w.last, w.wal, now); err != nil {
					t.Fatal(err)
				}
			},
			"flush": func(t *rapid.T) {
				w.onDisk = LSN(rapid.Uint64Range(uint64(w.onDisk), uint64(w.wal)).Draw(t, "on disk"))
				w.told = w.onDisk
				w.ledger.Flush(w.onDisk)
			},
			"release": func(*rapid.T) { w.held = false; w.ledger.Release() },
		})
	})
}

// seen is the highest value that the ledger was told of.
func (w *world) seen() int64 {
	seen := int64(0)
	for _, value := range w.passed {
		seen = max(seen, value)
	}
	return seen
}

func (w *world) endFetch(n int) {
	name := w.fetch
	w.fetch = 0
	if n == 0 {
		w.ledger.DropFetch(name)
		return
	}
	var ids []int64
	for range n {
		w.last += int64(rapid.IntRange(1, 2).Draw(w.t, "step")) // others draw between
		ids = append(ids, w.last)
	}
	w.advanceWAL()
	for _, id := range ids {
		w.drawn[id] = w.wal
	}
	w.passed[w.wal] = max(w.passed[w.wal], w.last)
	if err := w.ledger.EndFetch(name, ids, w.wal); err != nil {
		w.t.Fatal(err)
	}
}

func TestLedgerNoticesASequenceThatWentBack(t *testing.T) {
	now := time.Now()
	l := New()
	l.Start(10, 10, false)
	if err := l.EndFetch(l.BeginFetch(), []int64{10}, 1); !errors.Is(err, ErrWentBack) {
		t.Errorf("an id at its fetch's floor: %v", err)
	}
	l = New()
	l.Start(10, 10, false)
	if err := l.EndFetch(l.BeginFetch(), []int64{11, 12}, 1); err != nil {
		t.Fatal(err)
	}
	if err := l.EndFetch(l.BeginFetch(), []int64{12}, 2); !errors.Is(err, ErrWentBack) {
		t.Errorf("an id twice, above the floor because nothing was flushed: %v", err)
	}
	if err := l.Read(9, 3, now); !errors.Is(err, ErrWentBack) {
		t.Errorf("a reading below what is on disk: %v", err)
	}
	if err := l.Crashed(); !errors.Is(err, ErrWentBack) {
		t.Errorf("a crash with unflushed draws: %v", err)
	}
	if err := l.Read(12, 4, now); err != nil {
		t.Fatal(err)
	}
	if err := l.Crashed(); !errors.Is(err, ErrWentBack) {
		t.Errorf("a crash with unflushed draws, one of which somebody waits for: %v", err)
	}
	l.Flush(9)
	if err := l.Crashed(); err != nil {
		t.Errorf("a crash with nothing to lose: %v", err)
	}
}

// An id that is never finished does not make memory grow with all that are drawn
// and finished after it.
func TestAnOpenIDKeepsNothingOfLaterOnes(t *testing.T) {
	l, now := New(), time.Now()
	l.Start(0, 0, false)
	var before, after runtime.MemStats
	const ids = 200_000
	for id := int64(1); id <= 2*ids; id++ {
		if id == ids {
			runtime.GC()
			runtime.ReadMemStats(&before)
		}
		if err := l.EndFetch(l.BeginFetch(), []int64{id}, LSN(id)); err != nil {
			t.Fatal(err)
		}
		if id > 1 {
			l.Finish(id, now)
		}
		l.Flush(LSN(id))
		l.Take()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > ids {
		t.Errorf("%d bytes more for %d ids beyond one that is open", grown, ids)
	}
	if l.Value() != 0 || l.Own() != 0 {
		t.Errorf("value %d, own %d, while 1 is open", l.Value(), l.Own())
	}
	l.Finish(1, now)
	if l.Take(); l.Value() != 2*ids || l.Own() != 2*ids {
		t.Errorf("value %d, own %d after the end of 1", l.Value(), l.Own())
	}
}

func TestEndOfRecordOnPageBoundaries(t *testing.T) {
	g := Geometry{Block: 8192, Segment: 16 << 20}
	for insert, want := range map[LSN]LSN{
		100: 100, 3*8192 + 24: 3 * 8192, 3*8192 + 32: 3*8192 + 32,
		2<<24 + 40: 2 << 24, 2<<24 + 24: 2<<24 + 24, 3 * 8192: 3 * 8192,
	} {
		if got := g.End(insert); got != want {
			t.Errorf("end(%d) = %d, want %d", insert, got, want)
		}
	}
}

package fence

import (
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"pgregory.net/rapid"

	"github.com/tidemark-pg/tidemark/follower/internal/wal"
)

// world is a slow, obvious model of what a Line is told about: transactions
// draw ids and end, the WAL is flushed now and then.
type world struct {
	drawn   int64
	wal     pglogrepl.LSN
	flushed pglogrepl.LSN
	open    map[uint32][]int64 // transaction → its ids
	ended   map[int64]bool     // id → its transaction has ended
	next    uint32
	durable int64 // ids ≤ it can never be drawn again
}

func newWorld() *world {
	return &world{open: map[uint32][]int64{}, ended: map[int64]bool{}, wal: 1000}
}

func (w *world) draw(tx uint32) {
	w.drawn++
	w.wal += 10
	w.open[tx] = append(w.open[tx], w.drawn)
}

func (w *world) begin() uint32 {
	w.next++
	w.open[w.next] = nil
	return w.next
}

func (w *world) end(tx uint32) {
	for _, id := range w.open[tx] {
		w.ended[id] = true
	}
	delete(w.open, tx)
}

func (w *world) flush() {
	w.flushed, w.durable = w.wal, w.drawn
}

// holders are the open transactions that have drawn: those hold the lock.
func (w *world) holders() []Holder {
	var h []Holder
	for tx, ids := range w.open {
		if len(ids) > 0 {
			h = append(h, Holder{VXID: VXID{Backend: int32(tx % 7), Local: tx}, PID: int32(tx)})
		}
	}
	return h
}

// settled checks the promise: every id ≤ upTo belongs to a transaction that has
// ended, and is on disk.
func (w *world) settled(t *rapid.T, upTo int64) {
	for id := int64(1); id <= upTo; id++ {
		if !w.ended[id] {
			t.Fatalf("id %d is open, yet all ids up to %d are said to be settled", id, upTo)
		}
	}
	if upTo > w.durable {
		t.Fatalf("%d is said to be settled; a crash would hand out %d again", upTo, w.durable+1)
	}
}

func TestALineNeverSettlesAnOpenID(t *testing.T) {
	g := wal.DefaultGeometry()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		var line Line
		pick := func() (uint32, bool) {
			if len(w.open) == 0 {
				return 0, false
			}
			var txs []uint32
			for tx := range w.open {
				txs = append(txs, tx)
			}
			// Maps are not ordered; the draw must be repeatable.
			sortXIDs(txs)
			return rapid.SampledFrom(txs).Draw(t, "tx"), true
		}
		probe := func() {
			// What happens between reading L and reading the holders.
			last, drawn := w.drawn, w.wal
			for range rapid.IntRange(0, 3).Draw(t, "between") {
				if rapid.Bool().Draw(t, "new") || len(w.open) == 0 {
					w.draw(w.begin())
				} else if tx, ok := pick(); ok {
					if rapid.Bool().Draw(t, "ends") {
						w.end(tx)
					} else {
						w.draw(tx)
					}
				}
			}
			settled, ok := line.Add(Reading{
				Last: last, Drawn: drawn, Holders: w.holders(), Seen: w.wal, Flushed: w.flushed, At: time.Unix(int64(last), 0),
			}, g)
			if ok {
				w.settled(t, settled.UpTo)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"begin": func(t *rapid.T) { w.begin() },
			"draw": func(t *rapid.T) {
				if tx, ok := pick(); ok {
					w.draw(tx)
				}
			},
			"end": func(t *rapid.T) {
				if tx, ok := pick(); ok {
					w.end(tx)
				}
			},
			"flush": func(t *rapid.T) { w.flush() },
			"probe": func(t *rapid.T) { probe() },
		})
		// When all have ended and all is flushed, one probe settles everything.
		for tx := range w.open {
			w.end(tx)
		}
		w.flush()
		settled, ok := line.Add(Reading{Last: w.drawn, Drawn: w.wal, Seen: w.wal, Flushed: w.flushed}, g)
		if ok {
			w.settled(t, settled.UpTo)
		}
		if line.settled != w.drawn {
			t.Fatalf("settled %d of %d when everything had ended", line.settled, w.drawn)
		}
		if len(line.posts) != 0 || !line.Since().IsZero() {
			t.Fatalf("%d fences stand when everything has ended", len(line.posts))
		}
	})
}

func sortXIDs(x []uint32) {
	for i := 1; i < len(x); i++ {
		for j := i; j > 0 && x[j] < x[j-1]; j-- {
			x[j], x[j-1] = x[j-1], x[j]
		}
	}
}

func holders(local ...uint32) []Holder {
	var h []Holder
	for _, l := range local {
		h = append(h, Holder{VXID: VXID{Backend: 3, Local: l}, PID: int32(l)})
	}
	return h
}

func add(l *Line, last int64, flushed pglogrepl.LSN, open ...uint32) (Settled, bool) {
	return l.Add(Reading{
		Last: last, Drawn: pglogrepl.LSN(1000 + last), Seen: pglogrepl.LSN(1000 + last), Flushed: flushed,
		Holders: holders(open...), At: time.Unix(last, 0),
	}, wal.DefaultGeometry())
}

// One slow transaction holds back only ids drawn after it began.
func TestFencesBeforeASlowTransactionAreDone(t *testing.T) {
	var l Line
	add(&l, 10, 9999, 1)    // 1 is open
	add(&l, 20, 9999, 1, 2) // 2, the slow one, draws
	add(&l, 30, 9999, 2)
	if l.settled != 10 {
		t.Fatalf("settled %d while the slow transaction is open, want 10", l.settled)
	}
	for last := int64(40); last <= 4000; last += 10 {
		add(&l, last, 9999, 2, uint32(last))
	}
	if l.settled != 10 || len(l.posts) > 3 {
		t.Fatalf("settled %d, %d fences stand: they must not grow with time", l.settled, len(l.posts))
	}
	if got := l.Since(); !got.Equal(time.Unix(20, 0)) {
		t.Fatalf("unsettled since %s, want when 20 was first seen", got)
	}
	if s, ok := add(&l, 4000, 9999, 4000); !ok || s.UpTo != 3990 {
		t.Fatalf("settled %+v %v when the slow transaction ended, want 3990", s, ok)
	}
}

// DESIGN fact 4: what is not on disk can be handed out again after a crash.
func TestAFenceWaitsForTheFlush(t *testing.T) {
	var l Line
	if s, ok := add(&l, 10, 1009); ok {
		t.Fatalf("settled %+v, although the WAL is flushed up to 1009 only", s)
	}
	if at, waits := l.Unflushed(); !waits || at != 1010 {
		t.Fatalf("unflushed %d, %v", at, waits)
	}
	if s, ok := add(&l, 10, 1010); !ok || s.UpTo != 10 {
		t.Fatalf("settled %+v %v after the flush", s, ok)
	}
	if _, waits := l.Unflushed(); waits {
		t.Fatal("still waits for the flush")
	}
}

// RULES 5: the lock of a transaction that has ended stands for a moment longer.
func TestAnEndedHolderIsSkipped(t *testing.T) {
	var l Line
	if s, ok := add(&l, 10, 9999, 0); !ok || s.UpTo != 10 {
		t.Fatalf("settled %+v %v", s, ok)
	}
}

// setval back voids what was to be settled about ids that will be drawn again.
func TestASequenceSetBackVoidsFences(t *testing.T) {
	var l Line
	add(&l, 200, 9999, 1)
	if s, ok := add(&l, 150, 9999, 2); ok {
		t.Fatalf("settled %+v, although 151 to 200 will be drawn again", s)
	}
	if s, ok := add(&l, 150, 9999); !ok || s.UpTo != 150 {
		t.Fatalf("settled %+v %v, want 150", s, ok)
	}
}

func TestPace(t *testing.T) {
	var p Pace
	idle := Condition{Aided: true, Took: 200 * time.Microsecond}
	if got := p.Next(idle); got != Idle {
		t.Errorf("idle: %s", got)
	}
	// Backs off from 1 ms; the share keeps it at 20 times the probe. RULES 7.
	held := Condition{Aided: true, Unsettled: true, Took: 10 * time.Microsecond}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 50, 50} {
		if got := p.Next(held); got != want*time.Millisecond {
			t.Errorf("held back: %s, want %d ms", got, want)
		}
	}
	p.Hurry()
	if got := p.Next(held); got != time.Millisecond {
		t.Errorf("after a new gap: %s", got)
	}
	held.Took = 8 * time.Millisecond
	if got := p.Next(held); got != 160*time.Millisecond {
		t.Errorf("a heavy probe: %s, want 20 times its 8 ms", got)
	}
	if got := p.Floor(held); got != 160*time.Millisecond {
		t.Errorf("whoever asks: %s", got)
	}
	moving := Condition{Aided: true, Unsettled: true, Moved: true, Took: 10 * time.Microsecond}
	if got := p.Next(moving); got != 4*time.Millisecond {
		t.Errorf("moving: %s", got)
	}
	// Without a slot nobody tells of new rows.
	p = Pace{}
	alone := Condition{Took: 10 * time.Microsecond}
	for range 20 {
		p.Next(alone)
	}
	if got := p.Next(alone); got != 100*time.Millisecond {
		t.Errorf("without a slot: %s", got)
	}
}

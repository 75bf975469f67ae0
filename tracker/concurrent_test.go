package tracker

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// TestConcurrentUse lets writers, a fence, readers, waiters and subscribers at
// one tracker. What must hold for each of them: P never goes back, never passes
// an id that nobody has reported, and everybody ends at the last id.
func TestConcurrentUse(t *testing.T) {
	const writers, perWriter = 4, 3000
	const last = int64(writers * perWriter)
	tr := newTracker(t, Config{})
	reported := make([]atomic.Bool, last+1)
	var told []Move
	defer tr.Subscribe(func(m Move) { told = append(told, m) })()

	var feeding, reading sync.WaitGroup
	names := writerNames(writers)
	for w := range int64(writers) {
		feeding.Go(func() { feed(tr, reported, names[w], w, writers) })
	}
	for range 2 {
		reading.Go(func() { follow(t, tr, reported, last) })
	}
	for w := range writers {
		reading.Go(func() { waitAlong(t, tr, names[w], last) })
	}
	feeding.Wait()
	reading.Wait()

	if got := tr.CurrentToken(); got != last {
		t.Errorf("P = %d, want %d", got, last)
	}
	for i := 1; i < len(told); i++ {
		if told[i].Number <= told[i-1].Number || told[i].Position < told[i-1].Position {
			t.Fatalf("told %+v after %+v", told[i], told[i-1])
		}
	}
	if n := len(told); n == 0 || told[n-1].Position != last {
		t.Error("the last move was not told")
	}
	if n := tr.mu.waiters.byTarget.len(); n != 0 || len(tr.mu.waiters.byWriter) != 0 {
		t.Errorf("%d waiters left", n)
	}
}

// feed reports every id = w modulo writers, shuffled within a window.
func feed(tr *Tracker, reported []atomic.Bool, name string, w, writers int64) {
	rnd := rand.New(rand.NewPCG(uint64(w), 7))
	var ids []int64
	for id := w + 1; id < int64(len(reported)); id += writers {
		ids = append(ids, id)
	}
	for start := 0; start < len(ids); start += 20 {
		window := ids[start:min(start+20, len(ids))]
		rnd.Shuffle(len(window), func(i, j int) { window[i], window[j] = window[j], window[i] })
		events := make([]Event, 0, len(window))
		for _, id := range window {
			reported[id].Store(true)
			if rnd.IntN(2) == 0 {
				tr.Observe(name, id)
				continue
			}
			events = append(events, Event{Verb: VerbObserve, Writer: name, From: id, To: id})
		}
		tr.Apply(events)
	}
}

func follow(t *testing.T, tr *Tracker, reported []atomic.Bool, last int64) {
	for before := int64(0); before < last; {
		if err := tr.Wait(t.Context(), before+1); err != nil {
			t.Error(err)
			return
		}
		p := tr.CurrentToken()
		if p <= before {
			t.Errorf("P is %d, having passed %d", p, before)
			return
		}
		for id := before + 1; id <= p; id++ {
			if !reported[id].Load() {
				t.Errorf("P = %d covers %d, which nobody reported", p, id)
				return
			}
		}
		before = p
	}
}

func waitAlong(t *testing.T, tr *Tracker, name string, last int64) {
	for target := int64(7); target <= last; target += 13 {
		if err := tr.WaitWriter(t.Context(), name, target); err != nil {
			t.Error(err)
			return
		}
		if at := tr.CurrentTokenForWriter(name); at < target {
			t.Errorf("woken at %d for %d", at, target)
		}
		tr.Positions()
		tr.Subscribe(func(Move) {})()
	}
}

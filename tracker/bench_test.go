package tracker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func newTracker(tb testing.TB, c Config) *Tracker {
	tb.Helper()
	if c.Stream == "" {
		c.Stream = "events"
	}
	t, err := New(c)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func writerNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("writer-%d", i)
	}
	return names
}

func BenchmarkObserveInOrder(b *testing.B) {
	for _, writers := range []int{1, 8} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			t, names := newTracker(b, Config{}), writerNames(writers)
			b.ReportAllocs()
			id := int64(0)
			for b.Loop() {
				id++
				t.Observe(names[id&int64(writers-1)], id)
			}
		})
	}
}

func BenchmarkObserveShuffled(b *testing.B) {
	for _, window := range []int{16, 1000, 100_000} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			t := newTracker(b, Config{})
			order := rand.New(rand.NewPCG(1, 2)).Perm(window)
			b.ReportAllocs()
			i, base := 0, int64(1)
			for b.Loop() {
				t.Observe("w", base+int64(order[i]))
				if i++; i == window {
					i, base = 0, base+int64(window)
				}
			}
		})
	}
}

func BenchmarkApplyHundredRows(b *testing.B) {
	t := newTracker(b, Config{})
	events := make([]Event, 100)
	b.ReportAllocs()
	id := int64(0)
	for b.Loop() {
		for i := range events {
			id++
			events[i] = Event{Verb: VerbObserve, Writer: "w", From: id, To: id}
		}
		t.Apply(events)
	}
}

func BenchmarkSettle(b *testing.B) {
	t := newTracker(b, Config{})
	b.ReportAllocs()
	id := int64(0)
	for b.Loop() {
		id++
		t.Settle(id)
	}
}

func BenchmarkAnnounce(b *testing.B) {
	for _, writers := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			t, names := newTracker(b, Config{}), writerNames(writers)
			b.ReportAllocs()
			i, id := 0, int64(0)
			for b.Loop() {
				id++
				t.Announce(names[i], id)
				if i++; i == writers {
					i = 0
				}
			}
		})
	}
}

// BenchmarkAdvance has the writer that holds the minimum go on, each in its
// turn. The figure beside is what the reference does on a machine of this kind.
func BenchmarkAdvance(b *testing.B) {
	reference := map[int]float64{1: 500_000, 10: 450_000, 100: 160_000, 1000: 23_000}
	for _, writers := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			t, names := newTracker(b, Config{}), writerNames(writers)
			b.ReportAllocs()
			i, id := 0, int64(0)
			for b.Loop() {
				id++
				t.Advance(names[i], id)
				if i++; i == writers {
					i = 0
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
			b.ReportMetric(reference[writers], "reference-ops/s")
		})
	}
}

func BenchmarkCurrentTokenParallel(b *testing.B) {
	t := newTracker(b, Config{})
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			t.CurrentToken()
		}
	})
}

// BenchmarkWait is one Wait that blocks and the Observe that ends it.
func BenchmarkWait(b *testing.B) {
	t := newTracker(b, Config{})
	arrived := make(chan struct{})
	go func() {
		defer close(arrived)
		for id := int64(1); t.Wait(b.Context(), id) == nil; id++ {
			arrived <- struct{}{}
		}
	}()
	b.ReportAllocs()
	id := int64(0)
	for b.Loop() {
		id++
		t.Observe("w", id)
		<-arrived
	}
	t.Close(nil)
	for range arrived {
		continue
	}
}

// BenchmarkObserveBesideWaiters moves P under 100,000 waiters that no move satisfies.
func BenchmarkObserveBesideWaiters(b *testing.B) {
	t := newTracker(b, Config{})
	for i := range int64(100_000) {
		if _, err := t.enlist(&waiter{target: 1<<60 + i}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	id := int64(0)
	for b.Loop() {
		id++
		t.Observe("w", id)
	}
}

func BenchmarkWaitReached(b *testing.B) {
	t := newTracker(b, Config{})
	t.Settle(1)
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if err := t.Wait(ctx, 1); err != nil {
			b.Fatal(err)
		}
	}
}

package allocator

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/tracker/allocator/internal/ledger"
)

func BenchmarkFinishWith10000Open(b *testing.B) {
	l := ledger.New()
	l.Start(0, 0, false)
	now := time.Now()
	next := int64(0)
	draw := func(n int) {
		ids := make([]int64, n)
		for i := range ids {
			next++
			ids[i] = next
		}
		if err := l.EndFetch(l.BeginFetch(), ids, ledger.LSN(next)); err != nil {
			b.Fatal(err)
		}
		l.Flush(ledger.LSN(next))
	}
	draw(10_000)
	id := int64(0)
	for b.Loop() {
		draw(1)
		id++
		l.Finish(id*7919%next+1, now) // anywhere among them
		l.Finish(id, now)
		l.Take()
	}
}

func BenchmarkNextAndFinish(b *testing.B) {
	s := server(b)
	a := s.open(s.config("a", "a"))
	reference := map[int]float64{1: 1100, 4: 2400, 16: 2500} // what it does on a machine of this kind
	for _, goroutines := range []int{1, 4, 16} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			a.book.mu.Lock()
			before := a.book.stores
			a.book.mu.Unlock()
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ResetTimer()
			done := make(chan error)
			for range goroutines {
				go func() {
					for left.Add(-1) >= 0 {
						h, err := a.Next(context.Background())
						if err != nil {
							done <- err
							return
						}
						_ = h.Finish(context.Background(), nil)
					}
					done <- nil
				}()
			}
			for range goroutines {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			a.book.mu.Lock()
			upserts := a.book.stores - before
			a.book.mu.Unlock()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ids/s")
			b.ReportMetric(reference[goroutines], "reference-ids/s")
			b.ReportMetric(1000*float64(upserts)/float64(b.N), "upserts/1000")
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	s := server(b)
	s.exec("INSERT INTO stream_positions VALUES ('test_stream', 'b', 1)")
	s.exec("INSERT INTO foobar SELECT g, 'b' FROM generate_series(1, 1000000) g")
	s.exec("VACUUM ANALYZE foobar")
	s.exec("SELECT setval('foobar_seq', 1000000)")
	for _, behind := range []int64{0, 100_000, 1_000_000} {
		s.exec("UPDATE stream_positions SET stream_id = greatest(1, 1000000 - $1)", behind)
		b.Run(fmt.Sprintf("behind=%d", behind), func(b *testing.B) {
			for b.Loop() {
				a, err := Open(b.Context(), s.pool, s.config("r", "b"))
				if err != nil {
					b.Fatal(err)
				}
				if a.CurrentToken() != 1_000_000 {
					b.Fatal(a.CurrentToken())
				}
				if err := a.Close(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

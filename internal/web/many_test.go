package web_test

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/web"
	"github.com/tidemark-pg/tidemark/internal/web/webtest"
)

const (
	manyClients = 1000
	manyMoves   = 900 // 450 a second
)

// A thousand clients and one that never reads: each gets the last move, in time.
func TestManyClients(t *testing.T) {
	if testing.Short() {
		t.Skip("opens a thousand connections")
	}
	s := open(t, web.Config{}, "events")
	s.client.Transport.(*http.Transport).MaxConnsPerHost = 0
	s.source[0].Update(func(st *follower.Status) { st.Writers = map[string]int64{"a": 1, "b": 2, "c": 3} })
	idle, err := s.client.Do(s.request(t, http.MethodGet, "/v1/events")) // never read
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Body.Close()

	start := time.Now()
	moved := make([]atomic.Int64, manyMoves+1) // since start, per position
	delays := make(chan []time.Duration, manyClients)
	var ready sync.WaitGroup
	ready.Add(manyClients)
	for range manyClients {
		res, err := s.client.Do(s.request(t, http.MethodGet, "/v1/streams/events/events"))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			defer res.Body.Close()
			delays <- follow(t, res.Body, func(position int) time.Duration {
				return time.Since(start) - time.Duration(moved[position].Load())
			}, ready.Done)
		}()
	}
	ready.Wait()
	tick := time.NewTicker(time.Second / 450)
	defer tick.Stop()
	for i := int64(1); i <= manyMoves; i++ {
		<-tick.C
		moved[i].Store(int64(time.Since(start)))
		s.source[0].Move(i)
	}
	var all []time.Duration
	for range manyClients {
		all = append(all, <-delays...)
	}
	slices.Sort(all)
	p50, p99 := all[len(all)/2], all[len(all)*99/100]
	t.Logf("%d events: p50 %s, p99 %s, max %s", len(all), p50, p99, all[len(all)-1])
	if limit := 500 * time.Millisecond; p99 > limit && !raceEnabled {
		t.Errorf("p99 %s", p99)
	}
}

// follow reads until the last move and returns how late each event came.
func follow(t *testing.T, body io.Reader, since func(position int) time.Duration, ready func()) (delays []time.Duration) {
	events := webtest.NewEvents(body)
	for {
		ev, err := events.NextOf("position")
		if err != nil {
			t.Errorf("a client was cut: %v", err)
			return []time.Duration{time.Hour}
		}
		position, _ := strconv.Atoi(ev.ID)
		if position == 0 {
			ready()
			continue
		}
		delays = append(delays, since(position))
		if position == manyMoves {
			return delays
		}
	}
}

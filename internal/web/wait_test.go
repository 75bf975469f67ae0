package web_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/web"
)

// later asks in the background.
func (s *site) later(t *testing.T, path string) <-chan answer {
	c := make(chan answer, 1)
	go func() { c <- s.do(t, http.MethodGet, path) }()
	return c
}

func TestWaitEndsWhenReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openPipe(t, "events")
		got := s.later(t, "/v1/streams/events/wait?position=5")
		s.source[0].Move(4)
		synctest.Wait()
		select {
		case a := <-got:
			t.Fatalf("answered at 4: %s", a.body)
		default:
		}
		start := time.Now()
		s.source[0].Move(6)
		a := <-got
		if v := a.json(t); a.status != 200 || v["reached"] != true || v["position"] != 6. {
			t.Errorf("got %d %s", a.status, a.body)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("took %s", took)
		}
	})
}

func TestWaitTimesOut(t *testing.T) {
	for query, want := range map[string]time.Duration{
		"":               30 * time.Second,
		"&timeout=0":     0,
		"&timeout=250ms": 250 * time.Millisecond,
		"&timeout=5m":    5 * time.Minute,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := openPipe(t, "events")
			start := time.Now()
			a := s.get(t, "/v1/streams/events/wait?position=5"+query)
			if v := a.json(t); a.status != 200 || v["reached"] != false || v["position"] != 0. {
				t.Errorf("%q: %d %s", query, a.status, a.body)
			}
			if took := time.Since(start); took != want {
				t.Errorf("%q: took %s", query, took)
			}
		})
	}
}

func TestWaitParameters(t *testing.T) {
	s := open(t, web.Config{}, "events")
	for _, query := range []string{
		"", "position=", "position=x", "position=1.5", "position=9223372036854775808", "position=1&position=2", "position=%2B",
		"position=1&timeout=", "position=1&timeout=30", "position=1&timeout=-1s", "position=1&timeout=5m1s", "position=1&timeout=x",
		"position=1&timeout=NaNs", "position=1&epoch=", "position=1;timeout=1s", "position=%zz",
	} {
		wantProblem(t, s.get(t, "/v1/streams/events/wait?"+query), 400)
	}
	if p := wantProblem(t, s.get(t, "/v1/streams/events/wait?pos=1"), 400); p["detail"] != "position is missing: write ?position=N" {
		t.Errorf("without a position: %v", p["detail"])
	}
}

func TestWaitForWriter(t *testing.T) {
	s := open(t, web.Config{}, "events")
	s.source[0].Update(func(st *follower.Status) { st.Position, st.Writers = 3, map[string]int64{"": 9, "a b": 7} })
	for query, reached := range map[string]bool{
		"writer=a%20b&position=7": true,
		"writer=a+b&position=8":   false,
		"writer=&position=9":      true, // a NULL instance
		"position=9":              false,
		"writer=other&position=3": true, // the stream's position covers it
		"position=-1":             false,
	} {
		if a := s.get(t, "/v1/streams/events/wait?timeout=0&"+query); a.json(t)["reached"] != reached {
			t.Errorf("%s: %s", query, a.body)
		}
	}
}

func TestWaitOfDescendingStream(t *testing.T) {
	s := open(t, web.Config{}, "back")
	s.source[0].Move(-5)
	for query, reached := range map[string]bool{"position=-5": true, "position=-4": true, "position=-6": false} {
		if a := s.get(t, "/v1/streams/back/wait?timeout=0&"+query); a.json(t)["reached"] != reached {
			t.Errorf("%s: %s", query, a.body)
		}
	}
}

// RULES 11: waiters of another epoch fail at once, with the new state.
func TestWaitInAnotherEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openPipe(t, "events")
		start := time.Now()
		p := wantProblem(t, s.get(t, "/v1/streams/events/wait?position=0&epoch=e0"), 409)
		if now := p["stream"].(map[string]any); now["epoch"] != "e1" {
			t.Errorf("stream %v", now)
		}

		strict := s.later(t, "/v1/streams/events/wait?position=5&epoch=e1")
		loose := s.later(t, "/v1/streams/events/wait?position=5")
		synctest.Wait()
		s.source[0].Update(func(st *follower.Status) { st.Epoch, st.Position = "e2", 2 })
		p = wantProblem(t, <-strict, 409)
		if now := p["stream"].(map[string]any); now["epoch"] != "e2" || now["position"] != 2. {
			t.Errorf("stream %v", now)
		}
		s.source[0].Move(5)
		if a := <-loose; a.json(t)["reached"] != true {
			t.Errorf("a wait for any epoch: %s", a.body)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("took %s", took)
		}
	})
}

func TestStopAnswersWaitsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openPipe(t, "events")
		got := s.later(t, "/v1/streams/events/wait?position=5")
		synctest.Wait()
		start := time.Now()
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		p := wantProblem(t, <-got, 503)
		if p["reached"] != false || p["stream"].(map[string]any)["position"] != 0. {
			t.Errorf("problem %v", p)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("stopping took %s", took)
		}
	})
}

func TestWaiterThatGoesEndsItsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openPipe(t, "events")
		s.client.Timeout = time.Second
		if _, err := s.client.Get(s.base + "/v1/streams/events/wait?position=5&timeout=5m"); err == nil {
			t.Fatal("answered")
		}
		start := time.Now()
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("the wait went on: stopping took %s", took)
		}
	})
}

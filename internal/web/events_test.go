package web_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/web"
	"github.com/tidemark-pg/tidemark/internal/web/webtest"
)

func TestEventsBeginWithThePresentState(t *testing.T) {
	s := open(t, web.Config{}, "events")
	s.source[0].Update(func(st *follower.Status) {
		st.Position, st.Writers, st.LSN = 7, map[string]int64{"main": 7}, 0x16B3748
	})
	events, _ := s.events(t, "/v1/streams/events/events", header("Last-Event-ID", "7"))
	var got []webtest.Event
	for len(got) < 4 {
		ev, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		ev.Retry = ""
		got = append(got, ev)
	}
	want := []webtest.Event{
		{Comment: "tidemark"},
		{}, // retry
		{Type: "position", ID: "7", Data: `{"stream":"events","position":7,"writers":{"main":7},"epoch":"e1","lsn":"0/16B3748"}`},
		{Type: "state", Data: `{"stream":"events","state":"following","reason":""}`},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestEventHeaders(t *testing.T) {
	s := open(t, web.Config{}, "events")
	res, err := s.client.Do(s.request(t, http.MethodGet, "/v1/events"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for key, want := range map[string]string{
		"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff",
	} {
		if got := res.Header.Get(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
}

func TestPositionWaitsUntilKnown(t *testing.T) {
	s := open(t, web.Config{}, "events")
	s.source[0].Update(func(st *follower.Status) { *st = follower.Status{Name: "events", State: follower.StateStarting} })
	events, _ := s.events(t, "/v1/events") // headers come at once
	if ev := next(t, events, "state"); !strings.Contains(ev.Data, `"starting"`) {
		t.Errorf("state %s", ev.Data)
	}
	s.source[0].Update(func(st *follower.Status) { st.Known, st.Epoch, st.State = true, "e1", follower.StateFollowing })
	ev, err := events.Next()
	if err != nil || ev.Type != "position" || strings.Contains(ev.Data, "null") {
		t.Errorf("got %+v, %v", ev, err)
	}
	if ev := next(t, events, "state"); !strings.Contains(ev.Data, `"following"`) {
		t.Errorf("state %s", ev.Data)
	}
}

// A position of an epoch that is being left is not the present state.
func TestForgottenPositionIsNotShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openPipe(t, "events")
		first, _ := s.events(t, "/v1/events")
		next(t, first, "position")
		s.source[0].Update(func(st *follower.Status) { st.Known, st.State = false, follower.StateStarting })
		next(t, first, "state")
		second, _ := s.events(t, "/v1/events")
		next(t, second, "state")
		synctest.Wait()
		s.source[0].Update(func(st *follower.Status) { st.Known, st.Epoch = true, "e2" })
		for _, events := range []*webtest.Events{first, second} {
			if ev := next(t, events, "position"); !strings.Contains(ev.Data, `"epoch":"e2"`) {
				t.Errorf("got %s", ev.Data)
			}
		}
	})
}

func TestOnlyWhatMovedIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openPipe(t, "events")
		events, _ := s.events(t, "/v1/events")
		next(t, events, "state")
		for _, step := range []struct {
			kind   string // of the one event that follows
			change func(*follower.Status)
		}{
			{"", func(st *follower.Status) { st.CheckedAt, st.LSN = time.Now(), st.LSN+8 }},
			{"state", func(st *follower.Status) { st.Reason = "slow" }},
			{"position", func(st *follower.Status) { st.Writers = map[string]int64{"w": 1} }},
			{"position", func(st *follower.Status) { st.Epoch = "e2" }},
		} {
			s.source[0].Update(step.change)
			if step.kind == "" {
				continue
			}
			if ev, err := events.Next(); err != nil || ev.Type != step.kind {
				t.Errorf("got %+v, %v, want %s", ev, err, step.kind)
			}
			time.Sleep(10 * time.Millisecond) // past the pace
		}
	})
}

func TestEventsOfSomeStreams(t *testing.T) {
	s := open(t, web.Config{}, "a", "b", "c", "d,e", "a/b")
	for query, want := range map[string]string{
		"":                        "[a b c d,e a/b]",
		"?streams=c,a":            "[a c]",
		"?streams=c&streams=a,a":  "[a c]",
		"?streams=a%2Cc":          "[a c]", // as URLSearchParams writes it
		"?streams=d%2Ce,b":        "[b d,e]",
		"?streams=a%2Fb":          "[a/b]",
		"?str%65ams=b&unknown=no": "[b]",
	} {
		events, done := s.events(t, "/v1/events"+query)
		var names []any
		for range strings.Count(want, " ") + 1 {
			names = append(names, (answer{body: next(t, events, "position").Data}).json(t)["stream"])
		}
		if got := fmt.Sprint(names); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
		done()
	}
}

func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openPipe(t, "events")
		events, _ := s.events(t, "/v1/events")
		next(t, events, "state")
		start := time.Now()
		for i := range 3 {
			ev, err := events.Next()
			if err != nil || ev.Comment != "heartbeat" {
				t.Fatalf("got %+v, %v", ev, err)
			}
			if after := time.Since(start); after != time.Duration(i+1)*15*time.Second {
				t.Errorf("heartbeat after %s", after)
			}
		}
	})
}

func TestMoveReachesAnIdleClientAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openPipe(t, "events")
		events, _ := s.events(t, "/v1/events")
		next(t, events, "state")
		for i := range int64(10) {
			time.Sleep(time.Second)
			start := time.Now()
			s.source[0].Move(i + 1)
			next(t, events, "position")
			if took := time.Since(start); took != 0 {
				t.Errorf("move %d took %s", i, took)
			}
		}
	})
}

// A client that takes nothing is cut after 30 s, and until then holds up nobody.
func TestClientThatTakesNothingIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openPipe(t, "events")
		slow, err := s.client.Transport.(*http.Transport).DialContext(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer slow.Close()
		if _, err := io.WriteString(slow, "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // it stands in its first write
		events, _ := s.events(t, "/v1/events")
		next(t, events, "state")
		start := time.Now()
		for i := range int64(290) {
			time.Sleep(100 * time.Millisecond)
			sent := time.Now()
			s.source[0].Move(i + 1)
			if ev := next(t, events, "position"); ev.ID != fmt.Sprint(i+1) || time.Since(sent) > 0 {
				t.Fatalf("held up: move %d came as %s after %s", i+1, ev.ID, time.Since(sent))
			}
		}
		if n := s.server.SSEClients(); n != 2 {
			t.Fatalf("%d clients after %s", n, time.Since(start))
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := s.server.SSEClients(); n != 1 {
			t.Errorf("%d clients after %s", n, time.Since(start))
		}
	})
}

// A slow client skips to the newest.
func TestSlowClientIsConflated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openPipe(t, "events")
		events, _ := s.events(t, "/v1/events")
		next(t, events, "state")
		for i := range int64(1000) {
			s.source[0].Move(i + 1)
			time.Sleep(5 * time.Millisecond)
		}
		seen := 0
		for {
			seen++
			if next(t, events, "position").ID == "1000" {
				break
			}
		}
		// The client's transport buffers a little; the server nothing.
		if seen > 100 {
			t.Errorf("%d events waited for the client", seen)
		}
	})
}

func TestStopEndsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openPipe(t, "events")
		events, _ := s.events(t, "/v1/events")
		next(t, events, "state")
		stuck, err := s.client.Transport.(*http.Transport).DialContext(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer stuck.Close()
		if _, err := io.WriteString(stuck, "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		start := time.Now()
		ended := make(chan error, 1)
		go func() {
			_, err := events.NextOf("none")
			ended <- err
		}()
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, io.EOF) {
			t.Errorf("the stream ended with %v", err)
		}
		if took := time.Since(start); took > 4*time.Second {
			t.Errorf("stopping took %s", took)
		}
		if n := s.server.SSEClients(); n != 0 {
			t.Errorf("%d clients left", n)
		}
	})
}

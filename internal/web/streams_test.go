package web_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/web"
)

func TestStreamIsExactlyTheContract(t *testing.T) {
	s := open(t, web.Config{}, "events")
	at := time.Date(2026, 3, 4, 5, 6, 7, 800, time.FixedZone("", 3600))
	pid, app := int32(7), "psql"
	s.source[0].Update(func(st *follower.Status) {
		st.Position, st.Writers = math.MaxInt64, map[string]int64{"b": math.MaxInt64, "": 3}
		st.Allocated, st.AllocatedKnown = math.MaxInt64, true
		st.LSN, st.MovedAt, st.CheckedAt = 0x16B3748, at, at
		st.HeldBy = []follower.Holder{{PID: &pid, ApplicationName: &app, Since: &at}}
		st.LateRows = 2
	})
	want := `{"name":"events","position":9223372036854775807,"writers":{"":3,"b":9223372036854775807},` +
		`"allocated":9223372036854775807,"state":"following","epoch":"e1","lsn":"0/16B3748",` +
		`"moved_at":"2026-03-04T04:06:07.0000008Z","checked_at":"2026-03-04T04:06:07.0000008Z",` +
		`"held_by":[{"pid":7,"gid":null,"writer":null,"application_name":"psql","user":null,"state":null,` +
		`"since":"2026-03-04T05:06:07.0000008+01:00"}],"late_rows":2}`
	if got := s.get(t, "/v1/streams/events"); got.body != want+"\n" || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("got  %s\nwant %s", got.body, want)
	}
	if got := s.get(t, "/v1/streams").body; got != `{"streams":[`+want+"]}\n" {
		t.Errorf("list: got %s", got)
	}
}

func TestUnknownIsNull(t *testing.T) {
	s := open(t, web.Config{}, "events")
	s.source[0].Update(func(st *follower.Status) {
		*st = follower.Status{Name: "events", State: follower.StateHalted, Reason: "no table"}
	})
	want := `{"name":"events","position":null,"writers":{},"allocated":null,"state":"halted","reason":"no table",` +
		`"epoch":null,"lsn":null,"moved_at":null,"checked_at":null,"held_by":[],"late_rows":0}` + "\n"
	if got := s.get(t, "/v1/streams/events").body; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestNamesOfAnyText(t *testing.T) {
	names := []string{"a/b", "..", ".", "wait", "events", "a b", "a+b", "100%", "ünï", `<script>"x"`, "a,b", "?q=1#f", "a//", "\n"}
	s := open(t, web.Config{}, names...)
	for _, name := range names {
		path := "/v1/streams/" + strings.ReplaceAll(url.PathEscape(name), ".", "%2E")
		got := s.get(t, path)
		if got.status != 200 || got.json(t)["name"] != name {
			t.Errorf("%q at %s: %d %s", name, path, got.status, got.body)
		}
		if got := s.get(t, path+"/wait?position=0"); got.status != 200 || got.json(t)["reached"] != true {
			t.Errorf("wait for %q: %d %s", name, got.status, got.body)
		}
		events, done := s.events(t, path+"/events")
		next(t, events, "position")
		done()
	}
}

// Go's client may clean a path; what a bare client sends must do as well.
func TestDotsAreNotCleaned(t *testing.T) {
	s := open(t, web.Config{}, "..", "a/b")
	for target, status := range map[string]string{
		"/v1/streams/..":       "200",
		"/v1/streams/%2e%2E":   "200",
		`/v1/streams/a%2Fb`:    "200",
		"/v1/streams/a/b":      "404",
		"//v1/streams/..":      "404",
		"/v1/streams/%2e%2e/x": "404",
		"/v1/streams/\"a%2Fb":  "404",
		"*":                    "404",
	} {
		if got := s.raw(t, "GET "+target+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 "+status) {
			t.Errorf("%s: %q, want %s", target, got, status)
		}
	}
}

// raw sends bytes and returns the first line of the answer.
func (s *site) raw(t *testing.T, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func TestProblems(t *testing.T) {
	s := open(t, web.Config{}, "events")
	for path, status := range map[string]int{
		"/nothing":                       404,
		"/v1":                            404,
		"/v1/":                           404,
		"/v1/streams/":                   404,
		"/v1/streams/none":               404,
		"/v1/streams/none/wait":          404,
		"/v1/streams/none/events":        404,
		"/v1/streams/events/other":       404,
		"/v1/events?streams=none":        404,
		"/v1/events?streams=":            400,
		"/v1/events?streams=%zz":         400,
		"/v1/slots":                      503,
		"/metrics":                       503,
		"/login":                         404,
		"/" + strings.Repeat("x", 9<<10): 414,
	} {
		p := wantProblem(t, s.get(t, path), status)
		if want, _, _ := strings.Cut(path, "?"); p["instance"] != want {
			t.Errorf("%s: instance %v", path, p["instance"])
		}
	}
}

func TestMethods(t *testing.T) {
	s := open(t, web.Config{}, "events")
	for _, path := range []string{"/", "/v1/streams", "/v1/streams/events", "/v1/streams/events/wait", "/v1/events", "/v1/slots", "/metrics", "/healthz"} {
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "TRACE"} {
			a := s.do(t, method, path)
			wantProblem(t, a, 405)
			if a.header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: Allow %q", method, path, a.header.Get("Allow"))
			}
		}
	}
}

func TestHeadIsGetWithoutBody(t *testing.T) {
	s := open(t, web.Config{}, "events")
	for _, path := range []string{"/v1/streams", "/v1/streams/events", "/v1/streams/events/wait?position=0", "/healthz", "/readyz", "/v1/events", "/v1/streams/events/events"} {
		a := s.do(t, http.MethodHead, path)
		if a.status != 200 || a.body != "" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("HEAD %s: %d %q %v", path, a.status, a.body, a.header)
		}
	}
}

func TestBodiesAreRefused(t *testing.T) {
	s := open(t, web.Config{}, "events")
	got := s.raw(t, "GET /v1/streams HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
	if !strings.HasPrefix(got, "HTTP/1.1 413") {
		t.Errorf("got %q", got)
	}
}

func TestHealthAndReadiness(t *testing.T) {
	s := open(t, web.Config{}, "events")
	if got := s.get(t, "/readyz"); got.status != 200 || got.body != "ok\n" {
		t.Errorf("ready: %d %q", got.status, got.body)
	}
	s.source[0].Update(func(st *follower.Status) { st.State, st.Reason = follower.StateStandby, "slot in use by pid 7" })
	p := wantProblem(t, s.get(t, "/readyz"), 503)
	if p["detail"] != `stream "events" is standby: slot in use by pid 7` {
		t.Errorf("detail %q", p["detail"])
	}
	if got := s.get(t, "/healthz"); got.status != 200 {
		t.Errorf("healthz is %d while not ready", got.status)
	}
}

func TestSlots(t *testing.T) {
	var failure error
	s := open(t, web.Config{Slots: func(context.Context) (any, error) { return []string{"one"}, failure }}, "events")
	if got := s.get(t, "/v1/slots"); got.status != 200 || got.body != `{"slots":["one"]}`+"\n" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	failure = errors.New("no right to")
	if p := wantProblem(t, s.get(t, "/v1/slots"), 503); p["detail"] != "reading the slots: no right to" {
		t.Errorf("detail %q", p["detail"])
	}
}

func TestNamesCannotInject(t *testing.T) {
	const evil = `</script><script>alert(1)</script>"}` + "\r\nevent: fake\ndata: \u2028\xff"
	s := open(t, web.Config{}, `<img src=x onerror=alert(1)>`)
	s.source[0].Update(func(st *follower.Status) {
		st.Writers, st.Position = map[string]int64{evil: 5}, 5
		st.State, st.Reason = follower.StateHalted, evil
	})
	clean := strings.ToValidUTF8(evil, "\uFFFD")
	if got := s.get(t, "/v1/streams"); strings.Contains(got.body, "<") {
		t.Errorf("JSON holds markup: %s", got.body)
	}
	events, _ := s.events(t, "/v1/events")
	ev := next(t, events, "position")
	if got := (answer{body: ev.Data}).json(t)["writers"]; fmt.Sprint(got) != fmt.Sprint(map[string]any{clean: 5.}) {
		t.Errorf("writers %q", got)
	}
	if ev := next(t, events, "state"); strings.Contains(ev.Data, "<") || (answer{body: ev.Data}).json(t)["reason"] != clean {
		t.Errorf("state %q", ev.Data)
	}
}

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/internal/client"
)

// ask requests a path and returns status and body.
func (d *daemon) ask(path string) (status int, body string) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.url+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	tr := &http.Transport{DisableKeepAlives: true}
	res, err := tr.RoundTrip(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	if strings.Contains(string(text), secret) {
		d.t.Errorf("%s shows the password: %s", path, text)
	}
	return res.StatusCode, string(text)
}

// poll asks a path until the answer satisfies.
func (d *daemon) poll(path, what string, within time.Duration, ok func(status int, body string) bool) {
	d.t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) { // HTTP tells of readiness to those who ask
		status, body := d.ask(path)
		if ok(status, body) {
			return
		}
		if time.Now().After(end) {
			d.t.Fatalf("%s: not within %s: %d %s", what, within, status, body)
		}
	}
}

func (d *daemon) awaitReady() { d.t.Helper(); d.awaitReadyWithin(patience) }

func (d *daemon) awaitReadyWithin(within time.Duration) {
	d.t.Helper()
	d.poll("/readyz", "ready", within, func(status int, _ string) bool { return status == http.StatusOK })
}

// unready waits until /readyz is 503 and says all the words.
func (d *daemon) unready(words ...string) {
	d.t.Helper()
	d.poll("/readyz", fmt.Sprintf("unready: %q", words), patience, func(status int, body string) bool {
		return status == http.StatusServiceUnavailable &&
			!slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(body, w) })
	})
	if status, _ := d.ask("/healthz"); status != http.StatusOK {
		d.t.Errorf("healthz %d", status)
	}
}

// gone waits until nobody listens any more: the daemon has begun to stop.
func (d *daemon) gone() {
	d.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
		if err != nil {
			return
		}
		_ = conn.Close()
		if time.Now().After(end) {
			d.t.Fatalf("still listening after %s", patience)
		}
	}
}

// stream is the one stream of the daemon.
func (d *daemon) stream() (st client.Stream) {
	d.t.Helper()
	_, body := d.ask("/v1/streams/events")
	if err := json.Unmarshal([]byte(body), &st); err != nil {
		d.t.Fatalf("%v: %s", err, body)
	}
	return st
}

// reaches waits, by HTTP, until the stream's position covers id.
func (d *daemon) reaches(id int64) {
	d.t.Helper()
	_, body := d.ask("/v1/streams/events/wait?timeout=20s&position=" + strconv.FormatInt(id, 10))
	if !strings.Contains(body, `"reached":true`) {
		d.t.Fatalf("%d is not reached: %s", id, body)
	}
}

func TestHTTPEndToEnd(t *testing.T) {
	t.Parallel()
	d := ready(t, server)
	p := startDaemon(t, d.file)
	p.awaitReady()
	events := p.events(t)
	id := d.insert()
	p.reaches(id)
	for e := range events {
		if e.Position != nil && *e.Position == id {
			break
		}
	}

	// The fence may be faster than the slot, which tells who wrote.
	p.poll("/v1/streams", "the writer", patience, func(_ int, body string) bool { return strings.Contains(body, `"writers":{"a":1}`) })
	_, body := p.ask("/v1/streams")
	for _, key := range []string{
		`"streams":[{`, `"name":"events"`, `"position":1`, `"allocated":1`, `"state":"following"`,
		`"epoch":"`, `"lsn":"`, `"moved_at":"`, `"checked_at":"`, `"held_by":[]`, `"late_rows":0`,
	} {
		if !strings.Contains(body, key) {
			t.Errorf("no %s in %s", key, body)
		}
	}
	for path, want := range map[string]int{
		"/v1/streams/events": 200, "/v1/streams/other": 404, "/v1/streams/events/wait?position=x": 400,
		"/v1/streams/events/wait?position=1&epoch=other": 409, "/healthz": 200, "/": 200, "/nothing": 404,
	} {
		if status, body := p.ask(path); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if _, body := p.ask("/v1/streams/events/wait?timeout=0s&position=1"); !strings.Contains(body, `"reached":true`) {
		t.Errorf("reached long ago: %s", body)
	}
	if _, body := p.ask("/v1/streams/events/wait?timeout=50ms&position=99"); !strings.Contains(body, `"reached":false`) {
		t.Errorf("not reached: %s", body)
	}
	p.measures()
}

// measures looks for the metrics that dashboards rely on.
func (d *daemon) measures() {
	d.t.Helper()
	_, body := d.ask("/metrics")
	for _, metric := range []string{
		`tidemark_stream_position{stream="events"} 1`, `tidemark_stream_allocated{stream="events"} 1`,
		`tidemark_stream_unsettled_seconds{stream="events"} 0`, `tidemark_stream_state{state="following",stream="events"} 1`,
		`tidemark_stream_late_rows_total{stream="events"} 0`, `tidemark_stream_moves_total{stream="events"} 1`,
		`tidemark_writer_position{stream="events",writer="a"} 1`, `tidemark_publish_delay_seconds_count{stream="events"} 1`,
		`tidemark_rows_total{stream="events"} 1`, "tidemark_fences_total ", "tidemark_reconnects_total 0",
		"tidemark_resyncs_total 0", "tidemark_sse_clients 1", "tidemark_build_info{",
	} {
		if !strings.Contains(body, "\n"+metric) {
			d.t.Errorf("no %s", metric)
		}
	}
}

// events reads the stream's server-sent position events until the test ends.
func (d *daemon) events(t *testing.T) <-chan client.Event {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+"/v1/streams/events/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{DisableKeepAlives: true}
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan client.Event, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(out)
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var e client.Event
				if json.Unmarshal([]byte(data), &e) == nil {
					out <- e
				}
			}
		}
	}()
	t.Cleanup(func() { _ = res.Body.Close(); <-done })
	return out
}

func TestCommandsOfADaemon(t *testing.T) {
	t.Parallel()
	d := ready(t, server)
	p := startDaemon(t, d.file)
	p.awaitReady()
	watch := start(t, "watch", "--url", p.url)
	held, err := d.sql.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := held.Exec(t.Context(), "SET LOCAL application_name = 'slow one'; INSERT INTO events (instance_name) VALUES ('b')"); err != nil {
		t.Fatal(err)
	}
	p.poll("/v1/streams/events", "held", patience, func(_ int, body string) bool { return strings.Contains(body, `"slow one"`) })

	status := run(t, "status", "--url", p.url).succeeds().stdout.String()
	for _, words := range []string{"STREAM", "BEHIND", "events  following  0         1          1", "held by pid ", "(slow one)", "idle in transaction"} {
		if !strings.Contains(status, words) {
			t.Errorf("no %q in\n%s", words, status)
		}
	}
	run(t, "wait", "--url", p.url, "--timeout", "100ms", "events", "1").fails(3, "events", "not reached 1 within 100ms", "slow one")
	run(t, "wait", "--url", p.url, "other", "1").fails(1, `"other"`, "tidemark status")
	run(t, "wait", "--url", p.url, "--epoch", "no", "events", "1").fails(1, "epoch")
	waiting := start(t, "wait", "--url", p.url, "events", "1")
	if err := held.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	waiting.succeeds()
	watch.stdout.await(t, "a line of watch", func(line string) bool { return line == "events position 1\n" })
	watch.signal(syscall.SIGTERM)
	watch.succeeds()

	// What moves between the two questions has come to rest at some time.
	for end := time.Now().Add(patience); ; {
		_, body := p.ask("/v1/streams")
		got := run(t, "status", "--json", "--url", p.url+"/").succeeds().stdout.String()
		if sameButTimes(got, body) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("status --json:\n%s/v1/streams:\n%s", got, body)
		}
	}
}

// sameButTimes compares two answers of /v1/streams without what each look at
// the server changes.
func sameButTimes(a, b string) bool {
	looked := regexp.MustCompile(`"(checked_at|lsn)":"[^"]*"`)
	return looked.ReplaceAllString(a, "") == looked.ReplaceAllString(b, "")
}

func TestToken(t *testing.T) {
	t.Parallel()
	d := ready(t, server)
	const token = "token-" + secret
	file := write(t, token+"\n")
	d.configure("# token\n" + stream)
	d.file = write(t, "database: {url: '"+d.url("")+"'}\nslot: {name: "+d.name+"}\nhttp: {listen: '127.0.0.1:0', token_file: '"+file+"'}\n"+stream)
	p := startDaemon(t, d.file)
	p.awaitReady()
	if status, _ := p.ask("/v1/streams"); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", status)
	}
	run(t, "status", "--url", p.url).fails(1, "token is needed", "--token-file", "TIDEMARK_TOKEN")
	run(t, "status", "--url", p.url, "--token-file", file).succeeds()
	startWith(t, []string{"TIDEMARK_TOKEN=" + token}, "status", "--url", p.url).succeeds()
	startWith(t, []string{"TIDEMARK_TOKEN=wrong"}, "status", "--url", p.url).fails(1, "token is wrong")
}

func TestSomethingElseAnswers(t *testing.T) {
	t.Parallel()
	d := ready(t, server)
	p := startDaemon(t, d.file)
	run(t, "status", "--url", p.url+"/elsewhere").fails(1, "nothing at this path", "--url")
	u, err := url.Parse(d.url(""))
	if err != nil {
		t.Fatal(err)
	}
	run(t, "status", "--url", "http://"+u.Host).fails(1, u.Host, "--url") // PostgreSQL itself
}

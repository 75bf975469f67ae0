package pagetest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/slots"
	"github.com/tidemark-pg/tidemark/internal/web"
	"github.com/tidemark-pg/tidemark/internal/web/webtest"
)

// synthetic serves streams that are held in memory: more of them, and faster,
// than a small server could write.
func synthetic(t *testing.T, streams, writers int) (url string, source webtest.Source) {
	t.Helper()
	var names []string
	for i := range streams {
		names = append(names, fmt.Sprintf("stream %d", i))
	}
	source = webtest.NewSource(names...)
	for _, s := range source {
		s.Update(func(st *follower.Status) {
			st.Writers, st.AllocatedKnown = map[string]int64{}, true
			for w := range writers {
				st.Writers[fmt.Sprintf("writer-%d", w)] = int64(w)
			}
		})
	}
	return serve(t, source, []slots.Slot{}), source
}

// serve serves a source and slots until the test ends.
func serve(t *testing.T, source webtest.Source, of []slots.Slot) (url string) {
	t.Helper()
	use(t) // skips the test where there is no browser
	server, err := web.New(web.Config{Source: source, Slots: func(context.Context) (any, error) { return of, nil }, Metrics: http.NotFoundHandler()})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, ln) }()
	t.Cleanup(func() { cancel(); <-ended })
	return "http://" + ln.Addr().String()
}

// metrics are Chromium's counters: seconds of work, and what there is.
func (b *tab) metrics() map[string]float64 {
	b.t.Helper()
	values := map[string]float64{}
	b.do(chromedp.ActionFunc(func(ctx context.Context) error {
		all, err := performance.GetMetrics().Do(ctx)
		for _, m := range all {
			values[m.Name] = m.Value
		}
		return err
	}))
	return values
}

// work moves all streams at a rate for a while and reports what a second of it
// costs the page.
func (b *tab) work(source webtest.Source, perSecond int, d time.Duration) (script, all float64) {
	b.t.Helper()
	before, begun := b.metrics(), time.Now()
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	n := int64(0)
	for time.Since(begun) < d {
		<-tick.C
		n++
		for _, s := range source {
			s.Update(func(st *follower.Status) { st.Position, st.Allocated = n, n+n%7 })
		}
	}
	after, took := b.metrics(), time.Since(begun).Seconds()
	return (after["ScriptDuration"] - before["ScriptDuration"]) / took, (after["TaskDuration"] - before["TaskDuration"]) / took
}

// What the page costs. The limits are those of a busy machine; the log has the
// figures, which mean something where the test runs alone.
func TestCost(t *testing.T) {
	t.Parallel()
	for _, load := range []struct {
		streams, writers, perSecond int
		limit                       float64 // of scripting, seconds a second
	}{{20, 3, 100, 0.3}, {200, 3, 5, 0.3}, {5, 1000, 20, 0.4}} {
		url, source := synthetic(t, load.streams, load.writers)
		b := newTab(t)
		b.do(performance.Enable())
		b.open(url)
		b.says("#link", "Live")
		b.says(fmt.Sprintf("#streams > tbody:nth-of-type(%d)", load.streams), "following")
		script, all := b.work(source, load.perSecond, time.Second)
		t.Logf("%d streams of %d writers, %d moves a second each: scripting %.0f ms a second, everything %.0f; JavaScript heap %.1f MB",
			load.streams, load.writers, load.perSecond, 1000*script, 1000*all, b.metrics()["JSHeapUsedSize"]/1e6)
		if script > load.limit {
			t.Errorf("scripting takes %.2f seconds a second", script)
		}
		last := source[load.streams-1].Status().Position
		b.says(fmt.Sprintf("#streams > tbody:nth-of-type(%d)%s", load.streams, position), fmt.Sprint(last))
	}
}

// What it costs to load the page: bytes on the way and time to the first position.
func TestLoad(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := newTab(t)
	b.open(s.url)
	b.says(row("cost")+position, "0")
	type load struct {
		Bytes    int     `json:"bytes"`
		Requests int     `json:"requests"`
		Loaded   float64 `json:"loaded"`
		First    float64 `json:"first"`
	}
	b.do(chromedp.Reload())
	b.says(row("cost")+position, "0")
	cold := eval[load](b, `(() => {
		const page = performance.getEntriesByType("navigation")[0], first = performance.getEntriesByName("tidemark first position")[0];
		return {bytes: page.encodedBodySize, requests: 1 + performance.getEntriesByType("resource").filter(r => !r.name.includes("/v1/")).length,
			loaded: page.domInteractive, first: first.startTime};
	})()`)
	t.Logf("%d bytes, %d requests besides the data, interactive after %.0f ms, first position after %.0f ms", cold.Bytes, cold.Requests, cold.Loaded, cold.First)
	if cold.Bytes > 16<<10 || cold.Requests != 1 {
		t.Errorf("the page takes %d bytes in %d requests", cold.Bytes, cold.Requests)
	}
}

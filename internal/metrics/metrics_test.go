package metrics_test

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/metrics"
	"github.com/tidemark-pg/tidemark/internal/web/webtest"
)

var rewrite = flag.Bool("rewrite", false, "write the golden scrape anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newMetrics(t *testing.T, source webtest.Source, stats func() metrics.Stats) *metrics.Metrics {
	t.Helper()
	m, err := metrics.New(source, stats, "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// scrape returns the lines of Tidemark's own metrics.
func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("scrape: %d %s", w.Code, w.Body)
	}
	var own strings.Builder
	for line := range strings.Lines(w.Body.String()) {
		if strings.Contains(line, "tidemark_") {
			own.WriteString(strings.ReplaceAll(line, runtime.Version(), "GOVERSION"))
		}
	}
	return own.String()
}

// Metric names and labels are what dashboards rely on.
func TestGoldenScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := webtest.NewSource("events", "späť/2", "new")
		source[0].Update(func(st *follower.Status) {
			st.Position, st.Writers = 41, map[string]int64{"a": 41, "": 7}
			st.Allocated, st.AllocatedKnown = 44, true
			st.UnsettledSince = time.Now().Add(-1500 * time.Millisecond)
			st.LateRows, st.Rows, st.Moves = 1, 40, 30
		})
		source[1].Update(func(st *follower.Status) {
			st.Position, st.State = -5, follower.StateReconnecting
		})
		source[2].Update(func(st *follower.Status) {
			*st = follower.Status{Name: "new", State: follower.StateStarting}
		})
		m := newMetrics(t, source, func() metrics.Stats {
			return metrics.Stats{Stats: follower.Stats{Fences: 1, Reconnects: 2, Resyncs: 3}, SSEClients: 4}
		})
		m.Published("events", 3*time.Millisecond)
		m.Published("events", -time.Second)
		m.Published("unheard of", time.Second)
		got := scrape(t, m)
		const file = "testdata/scrape.txt"
		if *rewrite {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("scrape (-want +got), -rewrite accepts it:\n%s", diff)
		}
	})
}

func TestLint(t *testing.T) {
	source := webtest.NewSource("events")
	source[0].Update(func(st *follower.Status) {
		st.Writers, st.AllocatedKnown = map[string]int64{"a": 1}, true
	})
	problems, err := testutil.GatherAndLint(newMetrics(t, source, nil).Gatherer())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestLabelsCannotBreakAScrape(t *testing.T) {
	source := webtest.NewSource("a\"\n\\", "b\xff", "b\xfe")
	source[0].Update(func(st *follower.Status) {
		st.Writers = map[string]int64{"x\xff": 1, "x\xfe": 2, "\"} 1\nfake 2": 3}
	})
	got := scrape(t, newMetrics(t, source, nil))
	for _, want := range []string{
		`tidemark_writer_position{stream="a\"\n\\",writer="x` + "\uFFFD" + `"} 2`,
		`writer="\"} 1\nfake 2"} 3`,
		`tidemark_stream_position{stream="b` + "\uFFFD" + `"} 0`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

func TestWritersAreCapped(t *testing.T) {
	source := webtest.NewSource("events")
	source[0].Update(func(st *follower.Status) {
		st.Writers = map[string]int64{}
		for i := range int64(1500) {
			st.Writers[fmt.Sprint(i)] = i
		}
	})
	n, err := testutil.GatherAndCount(newMetrics(t, source, nil).Gatherer(), "tidemark_writer_position")
	if err != nil || n != 1000 {
		t.Errorf("%d writers, %v", n, err)
	}
}

func TestPublishedDoesNotAllocate(t *testing.T) {
	m := newMetrics(t, webtest.NewSource("events"), nil)
	if n := testing.AllocsPerRun(100, func() { m.Published("events", time.Millisecond) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

package metrics_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tidemark-pg/tidemark/follower/slots"
	"github.com/tidemark-pg/tidemark/internal/metrics"
	"github.com/tidemark-pg/tidemark/internal/web/webtest"
)

func withSlots(t *testing.T, report func() (slots.Report, error)) *metrics.Metrics {
	t.Helper()
	m := newMetrics(t, webtest.NewSource(), nil)
	if err := m.Register(metrics.NewSlots(report)); err != nil {
		t.Fatal(err)
	}
	return m
}

func twoSlots() (slots.Report, error) {
	n := func(n int64) *int64 { return &n }
	return slots.Report{Slots: []slots.Slot{
		{Name: "tidemark", Active: true, RetainedBytes: n(1 << 24), ConfirmedLagBytes: n(128), Verdict: slots.VerdictOK},
		{Name: "limited", RetainedBytes: n(1 << 30), ConfirmedLagBytes: n(1 << 29), SafeWALBytes: n(-5), Verdict: slots.VerdictAtRisk},
		{Name: "lost", Verdict: slots.VerdictLost},
	}}, nil
}

// Metric names and labels are what dashboards rely on.
func TestGoldenScrapeOfSlots(t *testing.T) {
	var got strings.Builder
	for line := range strings.Lines(scrape(t, withSlots(t, twoSlots))) {
		if strings.Contains(line, "tidemark_slot_") {
			got.WriteString(line)
		}
	}
	const file = "testdata/slots.txt"
	if *rewrite {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("scrape (-want +got), -rewrite accepts it:\n%s", diff)
	}
}

func TestSlotMetricsLint(t *testing.T) {
	problems, err := testutil.GatherAndLint(withSlots(t, twoSlots).Gatherer())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// Numbers of long ago are not shown as today's.
func TestNoSlotMetricsWithoutAReport(t *testing.T) {
	got := scrape(t, withSlots(t, func() (slots.Report, error) {
		r, _ := twoSlots()
		return r, slots.ErrNoReport
	}))
	if strings.Contains(got, "tidemark_slot_") {
		t.Errorf("slots in\n%s", got)
	}
}

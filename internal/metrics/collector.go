package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/web"
)

// collector reads a Source at scrape time.
type collector struct {
	source web.Source
	stats  func() Stats
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("tidemark_"+name, help, labels, nil)
}

// descs are all that collector can send.
type descs struct {
	position, allocated, unsettled, state, lateRows, moves, rows, writer *prometheus.Desc
	fences, reconnects, resyncs, sseClients                              *prometheus.Desc
}

func newDescs() descs {
	return descs{
		position:   describe("stream_position", "Every row with an id at or below it is committed and visible; absent while unknown.", "stream"),
		allocated:  describe("stream_allocated", "The sequence's last value; absent while unknown.", "stream"),
		unsettled:  describe("stream_unsettled_seconds", "Age of the oldest unsettled id, 0 without one.", "stream"),
		state:      describe("stream_state", "1 for the state the stream is in, 0 for the others.", "stream", "state"),
		lateRows:   describe("stream_late_rows_total", "Rows that came below a published position; anything but 0 is a broken promise.", "stream"),
		moves:      describe("stream_moves_total", "How often the position moved.", "stream"),
		rows:       describe("rows_total", "Rows decoded.", "stream"),
		writer:     describe("writer_position", "Newest id of the writer at or below the position; announced: its stored position.", "stream", "writer"),
		fences:     describe("fences_total", "Fences completed."),
		reconnects: describe("reconnects_total", "Sessions reconnected."),
		resyncs:    describe("resyncs_total", "Skip-aheads and reloads."),
		sseClients: describe("sse_clients", "Event streams open now."),
	}
}

// Describe sends every description.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	d := newDescs()
	for _, desc := range []*prometheus.Desc{
		d.position, d.allocated, d.unsettled, d.state, d.lateRows, d.moves, d.rows, d.writer,
		d.fences, d.reconnects, d.resyncs, d.sseClients,
	} {
		ch <- desc
	}
}

// Collect reads everything once.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := scrape{descs: newDescs(), now: time.Now(), out: ch}
	seen := map[string]bool{}
	for _, st := range c.source.Streams() {
		name := label(st.Name())
		if !seen[name] { // two names that differ in invalid bytes only
			seen[name] = true
			s.stream(name, st.Status())
		}
	}
	stats := c.stats()
	s.count(s.fences, stats.Fences)
	s.count(s.reconnects, stats.Reconnects)
	s.count(s.resyncs, stats.Resyncs)
	s.gauge(s.sseClients, float64(stats.SSEClients))
}

// scrape is one Collect.
type scrape struct {
	descs
	now time.Time
	out chan<- prometheus.Metric
}

func (s scrape) stream(name string, st follower.Status) {
	if st.Known {
		s.gauge(s.position, float64(st.Position), name)
	}
	if st.AllocatedKnown {
		s.gauge(s.allocated, float64(st.Allocated), name)
	}
	s.gauge(s.unsettled, s.age(st.UnsettledSince).Seconds(), name)
	for _, state := range follower.States() {
		s.gauge(s.state, oneIf(state == st.State), name, string(state))
	}
	s.count(s.lateRows, st.LateRows, name)
	s.count(s.moves, st.Moves, name)
	s.count(s.rows, st.Rows, name)
	for writer, position := range web.RecentWriters(st.Writers) {
		s.gauge(s.writer, float64(position), name, writer)
	}
}

func (s scrape) age(since time.Time) time.Duration {
	if since.IsZero() {
		return 0
	}
	return max(s.now.Sub(since), 0)
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func (s scrape) gauge(desc *prometheus.Desc, v float64, labels ...string) {
	s.out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, labels...)
}

func (s scrape) count(desc *prometheus.Desc, v uint64, labels ...string) {
	s.out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(v), labels...)
}

package metrics

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/web"
)

// Stats are the counters that belong to no stream.
type Stats struct {
	// Stats of the follower.
	follower.Stats
	// SSEClients is how many event streams are open.
	SSEClients int
}

// Metrics is the registry of one daemon.
type Metrics struct {
	registry *prometheus.Registry
	delays   map[string]prometheus.Observer // by stream; never changed after New
}

// New returns the metrics of source's streams. stats is called once per scrape
// and must be cheap; nil counts as zero. version goes into tidemark_build_info.
func New(source web.Source, stats func() Stats, version string) (*Metrics, error) {
	if stats == nil {
		stats = func() Stats { return Stats{} }
	}
	delay := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "tidemark_publish_delay_seconds",
		Help:    "Time from a commit's timestamp to the position that covers it.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
	}, []string{"stream"})
	m := &Metrics{registry: prometheus.NewRegistry(), delays: map[string]prometheus.Observer{}}
	for _, st := range source.Streams() {
		m.delays[st.Name()] = delay.WithLabelValues(label(st.Name()))
	}
	for _, c := range []prometheus.Collector{
		delay,
		buildInfo(version),
		&collector{source: source, stats: stats},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := m.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func buildInfo(version string) prometheus.Collector {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "tidemark_build_info",
		Help:        "Always 1; the labels tell what runs.",
		ConstLabels: prometheus.Labels{"version": label(version), "goversion": runtime.Version()},
	})
	info.Set(1)
	return info
}

// Register adds a collector of other metrics, such as those of slots.
func (m *Metrics) Register(c prometheus.Collector) error {
	if err := m.registry.Register(c); err != nil {
		return fmt.Errorf("registering a metric: %w", err)
	}
	return nil
}

// Published records the time from a commit's timestamp to its position. It
// serves as follower.Config.PublishedFunc: any goroutine may call it, it does
// not allocate or block, and it ignores a stream that New did not see. A
// negative delay (the server's clock is ahead) counts as 0.
func (m *Metrics) Published(stream string, delay time.Duration) {
	if o, ok := m.delays[stream]; ok {
		o.Observe(max(delay, 0).Seconds())
	}
}

// Handler answers a scrape. A collector that fails loses its own metrics only;
// promhttp_metric_handler_errors_total counts that.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError,
		Registry:      m.registry,
	})
}

// label makes s fit for a label value: one that is not UTF-8 fails the scrape.
func label(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

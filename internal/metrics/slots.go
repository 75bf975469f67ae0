package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-pg/tidemark/follower/slots"
)

// slotCollector reads a report at scrape time.
type slotCollector struct {
	report func() (slots.Report, error)
}

// NewSlots returns the metrics of the logical slots that report tells of, for
// Register. report is called once per scrape and must be cheap. While it has
// an error there are no such metrics: numbers of long ago would pass for those
// of today.
func NewSlots(report func() (slots.Report, error)) prometheus.Collector {
	return &slotCollector{report}
}

// slotDescs are all that slotCollector can send.
type slotDescs struct {
	retained, lag, safe, active, verdict *prometheus.Desc
}

func newSlotDescs() slotDescs {
	return slotDescs{
		retained: describe("slot_retained_bytes", "WAL that the server keeps for the slot; absent for a lost one.", "slot"),
		lag:      describe("slot_confirmed_lag_bytes", "WAL that the slot's consumer has not confirmed; absent while the slot is being created.", "slot"),
		safe:     describe("slot_safe_wal_bytes", "WAL that may be written before the server may give the slot up; absent without a limit.", "slot"),
		active:   describe("slot_active", "1 while a consumer is connected, else 0.", "slot"),
		verdict:  describe("slot_verdict", "1 for the verdict on the slot, 0 for the others.", "slot", "verdict"),
	}
}

// Describe sends every description.
func (c *slotCollector) Describe(ch chan<- *prometheus.Desc) {
	d := newSlotDescs()
	for _, desc := range []*prometheus.Desc{d.retained, d.lag, d.safe, d.active, d.verdict} {
		ch <- desc
	}
}

// Collect reads everything once.
func (c *slotCollector) Collect(ch chan<- prometheus.Metric) {
	r, err := c.report()
	if err != nil {
		return // the watcher tells of it, and a scrape has no place for it
	}
	d, s := newSlotDescs(), scrape{out: ch}
	for _, slot := range r.Slots {
		s.slot(d, slot)
	}
}

func (s scrape) slot(d slotDescs, slot slots.Slot) {
	name := label(slot.Name)
	s.bytes(d.retained, slot.RetainedBytes, name)
	s.bytes(d.lag, slot.ConfirmedLagBytes, name)
	s.bytes(d.safe, slot.SafeWALBytes, name)
	s.gauge(d.active, oneIf(slot.Active), name)
	for _, v := range slots.Verdicts() {
		s.gauge(d.verdict, oneIf(v == slot.Verdict), name, string(v))
	}
}

func (s scrape) bytes(desc *prometheus.Desc, n *int64, name string) {
	if n != nil {
		s.gauge(desc, float64(*n), name)
	}
}

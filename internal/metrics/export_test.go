package metrics

import "github.com/prometheus/client_golang/prometheus"

// Gatherer is the registry.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

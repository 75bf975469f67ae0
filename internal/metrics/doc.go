// Package metrics shows a follower to Prometheus.
//
// Gauges and counters are read from the Source when a scrape asks, one Status
// per stream and scrape, so the metrics of a stream agree with each other and
// cost nothing in between. Only the publish delay is recorded as it happens.
// The registry is the package's own: nothing else in the process can add to a
// scrape.
package metrics

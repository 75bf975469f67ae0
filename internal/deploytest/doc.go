// Package deploytest holds what lies in deploy/ to the truth: its tests run the
// role on real servers, the alert rules through promtool and the unit through
// systemd-analyze where those are installed, check every query against the
// metrics there are, the manifests against the fields that are used of
// Kubernetes, and the pages against the program.
package deploytest

// Package report turns outcomes into a table for people, JSON for programs, and
// pictures.
package report

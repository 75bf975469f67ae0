//go:build !race

package web_test

// raceEnabled: times measured here mean nothing.
const raceEnabled = false

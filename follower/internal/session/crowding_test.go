package session

import (
	"testing"
	"time"
)

// A few commits at a time are no crowd, as when the server flushes those of
// several writers at once; many a second are, until they stop.
func TestCrowding(t *testing.T) {
	t.Parallel()
	var c crowding
	now := time.Now()
	look := func(commits int, after time.Duration) bool {
		now = now.Add(after)
		return c.saw(commits, now)
	}
	if look(100, 0) {
		t.Error("the first commits are a crowd")
	}
	for range 1000 { // 1,500 a second, in bursts
		if look(12, 8*time.Millisecond) {
			t.Fatal("1,500 commits a second are a crowd")
		}
	}
	crowded := 0
	for range 1000 { // 10,000 a second, one by one
		if look(1, 100*time.Microsecond) {
			crowded++
		}
	}
	if crowded < 300 {
		t.Errorf("of 1,000 commits, 10,000 a second, %d were in a crowd", crowded)
	}
	if look(1, time.Second) {
		t.Error("a single commit after a second is a crowd")
	}
}

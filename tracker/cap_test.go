package tracker_test

import (
	"testing"

	"github.com/tidemark-pg/tidemark/tracker"
)

// RULES 20: while a registration may be unseen the minimum goes no further than
// what was drawn before it; rows that were seen do.
func TestCapHoldsTheMinimumAndNotTheRows(t *testing.T) {
	for _, sign := range []int64{1, -1} {
		tr, err := tracker.New(tracker.Config{Stream: "s", Descending: sign < 0})
		if err != nil {
			t.Fatal(err)
		}
		want := func(p int64) {
			t.Helper()
			if got := tr.CurrentToken(); got != sign*p {
				t.Fatalf("position %d, want %d", got, sign*p)
			}
		}
		tr.Cap(sign * 5)
		tr.Announce("a", sign*9)
		want(5)
		tr.Observe("a", sign*6)
		want(6)
		tr.Observe("a", sign*8)
		want(6)
		if !tr.Uncap() {
			t.Error("uncapping did not move the position")
		}
		want(9)
		tr.Cap(sign * 2)
		want(9)
	}
}

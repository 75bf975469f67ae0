package pagetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/slots"
	"github.com/tidemark-pg/tidemark/internal/web/webtest"
)

// texts are what the elements of a selector say.
func (b *tab) texts(selector string) []string {
	b.t.Helper()
	return eval[[]string](b, fmt.Sprintf("[...document.querySelectorAll(%q)].map(e => e.textContent)", selector))
}

// The worst comes first, and what is so of several streams alike is said once.
func TestWorstFirstAndAlikeOnce(t *testing.T) {
	t.Parallel()
	source := webtest.NewSource("twin", "held", "away 1", "also held", "away 2", "stopped", "late", "away 3", "away 4", "away 5")
	set := func(state follower.State, reason string, streams ...int) {
		for _, i := range streams {
			source[i].Update(func(st *follower.Status) { st.State, st.Reason = state, reason })
		}
	}
	set(follower.StateStandby, "the slot is read", 0)
	set(follower.StateReconnecting, "connection refused", 2, 4, 7, 8, 9)
	set(follower.StateHalted, "no publication", 5)
	source[6].Update(func(st *follower.Status) { st.LateRows = 2 })
	pid, since := int32(4711), time.Now().Add(-time.Minute)
	for _, i := range []int{1, 3} {
		source[i].Update(func(st *follower.Status) {
			st.HeldBy = []follower.Holder{{PID: &pid, Since: &since}}
			st.AllocatedKnown, st.Allocated = true, 5
		})
	}
	b := newTab(t)
	b.open(serve(t, source, []slots.Slot{
		{Name: "a", Verdict: slots.VerdictOK}, {Name: "b", Verdict: slots.VerdictStalled}, {Name: "c", Verdict: slots.VerdictLost}, {Name: "d", Verdict: slots.VerdictOK},
	}))
	b.says("#held", "4711")
	if got, want := b.texts("#held .who"), []string{"late", "stopped", "away 1, away 2, away 3 and 2 more streams", "held, also held", "twin"}; !slices.Equal(got, want) {
		t.Errorf("what holds a position back: %q, want %q", got, want)
	}
	b.says("#held", "Halted: no publication", "Reconnecting: connection refused")
	if got, want := b.texts("#streams .badge.bad:not([hidden])"), []string{"halted", "late rows"}; !slices.Equal(got, want) {
		t.Errorf("badges in red: %q, want %q", got, want)
	}
	b.says("#slots", "stalled")
	if got, want := b.texts("#slots bdi"), []string{"c", "b", "a", "d"}; !slices.Equal(got, want) {
		t.Errorf("slots %q, want %q", got, want)
	}

	set(follower.StateReconnecting, "connection refused", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	b.says("#held", "All 10 streams")
	if n := len(b.texts("#held li")); n != 3 { // beside who is late and who is held
		t.Errorf("%d items: %q", n, b.texts("#held li"))
	}
}

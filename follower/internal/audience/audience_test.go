package audience

import (
	"slices"
	"testing"

	"github.com/tidemark-pg/tidemark/tracker"
)

func tracked(t *testing.T) *tracker.Tracker {
	t.Helper()
	tr, err := tracker.New(tracker.Config{Stream: "events"})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestSubscribersGoFromLifeToLife(t *testing.T) {
	t.Parallel()
	old, next := tracked(t), tracked(t)
	a := New(old)
	var seen []int64
	cancel := a.Subscribe(func(m tracker.Move) { seen = append(seen, m.Position) })
	old.Settle(5)
	a.Enter(next)
	old.Settle(6) // nobody's business any more
	next.Settle(2)
	cancel()
	cancel()
	next.Settle(3)
	a.Enter(tracked(t))
	if want := []int64{5, 2}; !slices.Equal(seen, want) {
		t.Errorf("told of %v, want %v", seen, want)
	}
}

func TestWatchersAreToldOfMovesAndChanges(t *testing.T) {
	t.Parallel()
	tr := tracked(t)
	a := New(tr)
	calls := 0
	cancel := a.Watch(func() { calls++ })
	tr.Settle(1)
	a.Tell()
	if calls != 2 {
		t.Errorf("%d calls, want one of the move and one of the change", calls)
	}
	cancel()
	tr.Settle(2)
	a.Tell()
	if calls != 2 {
		t.Errorf("%d calls after it was cancelled", calls-2)
	}
}

// Whatever is called may call back, and end others' calls.
func TestNoCallBeginsAfterCancel(t *testing.T) {
	t.Parallel()
	a := New(tracked(t))
	var cancel [2]func()
	calls := 0
	for i := range cancel {
		cancel[i] = a.Watch(func() {
			calls++
			cancel[1-i]()
		})
	}
	a.Tell()
	a.Tell()
	if calls != 2 {
		t.Errorf("%d calls, want the first one's of each Tell: it cancelled the other", calls)
	}
}

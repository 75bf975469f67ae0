package follower_test

import (
	"context"
	"errors"
	"testing"
)

// A wait with no time left is a question: is it reached now?
func TestWaitWithAnEndedContextTellsWhatIsReached(t *testing.T) {
	b := newBed(t, events)
	_, s := b.follow(eventsConfig(b.url))
	id := b.insert(b.sql, "a")
	b.reach(s, id)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // a choice between two channels would be wrong in half of them
		b.ok(s.Wait(ended, id))
	}
	if err := s.Wait(ended, id+1); !errors.Is(err, context.Canceled) {
		t.Fatalf("a wait for what is not reached: %v", err)
	}
}

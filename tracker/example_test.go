package tracker_test

import (
	"context"
	"fmt"
	"log"

	"github.com/tidemark-pg/tidemark/tracker"
)

func newTracker(c tracker.Config) *tracker.Tracker {
	t, err := tracker.New(c)
	if err != nil {
		log.Fatal(err)
	}
	return t
}

// A row above an open transaction does not move the position; the fence, or
// the missing row, does.
func Example() {
	t := newTracker(tracker.Config{Stream: "events"})
	t.Observe("worker-1", 1)
	t.Observe("worker-2", 3) // 2 was drawn and is still open
	fmt.Println(t.CurrentToken())
	t.Settle(2) // 2 was rolled back
	fmt.Println(t.CurrentToken())
	// Output:
	// 1
	// 3
}

func ExampleTracker_Announce() {
	t := newTracker(tracker.Config{Stream: "receipts", Writers: []string{"a", "b"}})
	t.Announce("a", 9)
	fmt.Println(t.CurrentToken(), "while b has said nothing")
	t.Announce("b", 7)
	fmt.Println(t.CurrentToken(), t.CurrentTokenForWriter("a"))
	// Output:
	// 0 while b has said nothing
	// 7 9
}

func ExampleTracker_Apply() {
	t := newTracker(tracker.Config{Stream: "events", Descending: true})
	moved := t.Apply([]tracker.Event{
		{Verb: tracker.VerbObserve, Writer: "a", From: -3, To: -40},
		{Verb: tracker.VerbSettle, To: -2},
	})
	fmt.Println(moved, t.CurrentToken())
	// Output: true -40
}

func ExampleTracker_Wait() {
	t := newTracker(tracker.Config{Stream: "events"})
	go t.Settle(5)
	if err := t.Wait(context.Background(), 4); err != nil {
		log.Fatal(err)
	}
	fmt.Println("every row up to", t.CurrentToken(), "can be read")
	// Output: every row up to 5 can be read
}

func ExampleTracker_Subscribe() {
	t := newTracker(tracker.Config{Stream: "events"})
	cancel := t.Subscribe(func(m tracker.Move) { fmt.Println(m.Stream, m.Position) })
	defer cancel()
	t.Observe("a", 1)
	t.Observe("a", 3)
	t.Observe("b", 2)
	// Output:
	// events 1
	// events 3
}

func ExampleTracker_Unsettled() {
	t := newTracker(tracker.Config{Stream: "events"})
	t.Settle(4)
	t.Observe("a", 8)
	fmt.Println(t.Unsettled())
	// Output: 5 8 true
}

func ExampleIDGenerator() {
	ids := tracker.NewIDGenerator(41, 1) // max(id) of the table
	fmt.Println(ids.Next(), ids.Next())
	// Output: 42 43
}

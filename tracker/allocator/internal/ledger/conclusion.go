package ledger

import "github.com/tidemark-pg/tidemark/tracker"

// Conclusion is what has changed since the last one was taken.
type Conclusion struct {
	// Settled are own ids that are done now: known to have ended, and on disk.
	Settled []int64
	// Value may be announced: every own id up to it is done.
	Value int64
	// Moved: Value rose.
	Moved bool
}

// Events say what a conclusion means to the stream's position: done ids count
// at once. The instance's own position counts at once only where nobody can be
// unseen, because every writer that there can be is listed; else it must come
// back first, and until then counts for those alone who wait for this instance.
// RULES 16. outward mirrors the ids of a descending stream.
func (c Conclusion) Events(instance string, listed bool, outward func(int64) int64) []tracker.Event {
	events := make([]tracker.Event, 0, 8)
	for i := 0; i < len(c.Settled); i++ {
		from := c.Settled[i]
		for i+1 < len(c.Settled) && c.Settled[i+1] == c.Settled[i]+1 {
			i++
		}
		events = append(events, tracker.Event{
			Verb: tracker.VerbObserve, From: outward(from), To: outward(c.Settled[i]),
		})
	}
	if c.Moved {
		verb := tracker.VerbComplete
		if listed {
			verb = tracker.VerbAnnounce
		}
		events = append(events, tracker.Event{Verb: verb, Writer: instance, To: outward(c.Value)})
	}
	return events
}

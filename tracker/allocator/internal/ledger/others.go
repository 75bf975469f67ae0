package ledger

import "github.com/tidemark-pg/tidemark/tracker"

// Others are the writers whose positions were read last; the zero value knows
// of none.
type Others struct{ known map[string]bool }

// Read says what the positions that were read mean: all are to be applied at
// once (RULES 16), and a writer whose row has gone leaves the minimum.
func (o *Others) Read(positions map[string]int64, outward func(int64) int64) []tracker.Event {
	events := make([]tracker.Event, 0, len(positions))
	for name := range o.known {
		if _, ok := positions[name]; !ok {
			events = append(events, tracker.Event{Verb: tracker.VerbForget, Writer: name})
		}
	}
	o.known = make(map[string]bool, len(positions))
	for name, position := range positions {
		o.known[name] = true
		events = append(events, tracker.Event{Verb: tracker.VerbAnnounce, Writer: name, To: outward(position)})
	}
	return events
}

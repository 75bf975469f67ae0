package tracker

import "testing"

func TestHotPathsDoNotAllocate(t *testing.T) {
	tr, names := newTracker(t, Config{}), writerNames(40)
	for _, name := range names {
		tr.Announce(name+" announced", 0)
	}
	tr.Settle(1)
	id, announced, i := int64(1), int64(0), 0
	events := make([]Event, 16)
	paths := map[string]func(){
		"Observe in order": func() {
			id, i = id+1, (i+1)%len(names)
			tr.Observe(names[i], id)
		},
		"Observe out of order": func() {
			id += 3
			tr.Observe(names[0], id-1)
			tr.Observe(names[1], id)
			tr.Observe(names[0], id-2)
		},
		"Apply": func() {
			for k := range events {
				id++
				events[k] = Event{Verb: VerbObserve, Writer: names[k], From: id, To: id}
			}
			tr.Apply(events)
		},
		"Settle": func() {
			id++
			tr.Settle(id)
		},
		"Announce": func() {
			announced++
			tr.Announce("writer-1 announced", announced)
		},
		"CurrentToken":          func() { tr.CurrentToken() },
		"CurrentTokenForWriter": func() { tr.CurrentTokenForWriter(names[3]) },
		"MinimalLocalToken":     func() { tr.MinimalLocalToken(names[3]) },
		"Wait, reached":         func() { _ = tr.Wait(t.Context(), 1) },
	}
	for name, path := range paths {
		for range 200 {
			path() // writers become known, buffers get their size
		}
		if n := testing.AllocsPerRun(500, path); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

package web

import "sync"

// turns holds the listeners that are to be woken, each once, in the order in
// which something new came for them. Woken all at once, ten thousand would
// stand in each other's way, and the last would be sent what was new when the
// first was woken. The zero value holds nobody.
type turns struct {
	mu      sync.Mutex
	waiting []*listener
}

// add gives every listener a turn that does not wait for one already.
func (t *turns) add(listeners map[*listener]struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for l := range listeners {
		if !l.waits {
			l.waits = true
			t.waiting = append(t.waiting, l)
		}
	}
}

// wake wakes the first of them, most at most. It returns how many, and whether
// others wait.
func (t *turns) wake(most int) (woken int, others bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	woken = min(most, len(t.waiting))
	for i, l := range t.waiting[:woken] {
		l.waits = false
		l.notify()
		t.waiting[i] = nil
	}
	t.waiting = t.waiting[woken:]
	return woken, len(t.waiting) > 0
}

// Package audience tells those who listen to a stream of its moves and changes,
// across its lives: a stream in a new epoch is tracked anew, and whoever
// subscribed to the old one need not know.
package audience

import (
	"sync"

	"github.com/tidemark-pg/tidemark/tracker"
)

// Audience is those who listen to one stream. Make one with New. Its methods
// may be called from any goroutine.
type Audience struct {
	mu struct {
		sync.Mutex
		present    *tracker.Tracker
		subscribed map[*subscription]struct{}
		watching   map[*watcher]struct{}
	}
}

// subscription is a subscriber and how to end its place in the present life.
type subscription struct {
	tell   func(tracker.Move)
	cancel func()
}

// watcher is its own key: functions cannot be compared.
type watcher struct{ fn func() }

// New returns the audience of a stream that is tracked by t now.
func New(t *tracker.Tracker) *Audience {
	a := &Audience{}
	a.mu.present = t
	a.mu.subscribed = make(map[*subscription]struct{})
	a.mu.watching = make(map[*watcher]struct{})
	return a
}

// Enter has every subscriber told of the moves of next, and no more of those of
// the tracker before it. Call it before next can move.
func (a *Audience) Enter(next *tracker.Tracker) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.present = next
	for s := range a.mu.subscribed {
		s.cancel()
		s.cancel = next.Subscribe(s.tell)
	}
}

// Subscribe has every move told to tell, as tracker.Tracker.Subscribe does, in
// this life and those that Enter begins.
func (a *Audience) Subscribe(tell func(tracker.Move)) (cancel func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := &subscription{tell: tell, cancel: a.mu.present.Subscribe(tell)}
	a.mu.subscribed[s] = struct{}{}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		s.cancel()
		delete(a.mu.subscribed, s)
	}
}

// Watch has fn called at every move and by every Tell, by the goroutine that
// moves or tells, possibly by several at once. Once cancel has returned no call
// begins; one that had begun may still be running.
func (a *Audience) Watch(fn func()) (cancel func()) {
	unsubscribe := a.Subscribe(func(tracker.Move) { fn() })
	a.mu.Lock()
	defer a.mu.Unlock()
	w := &watcher{fn}
	a.mu.watching[w] = struct{}{}
	return func() {
		unsubscribe()
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.mu.watching, w)
	}
}

// Tell calls those who watch, without a lock.
func (a *Audience) Tell() {
	for _, w := range a.watchers() {
		if a.watches(w) { // not one that another's call has cancelled
			w.fn()
		}
	}
}

func (a *Audience) watchers() []*watcher {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make([]*watcher, 0, len(a.mu.watching))
	for w := range a.mu.watching {
		all = append(all, w)
	}
	return all
}

func (a *Audience) watches(w *watcher) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, still := a.mu.watching[w]
	return still
}

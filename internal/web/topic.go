package web

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
)

// largeEvent is the size from which a topic has a pace of its own: encoding a
// megabyte for each move would starve everything else.
const largeEvent = 64 << 10

// topic holds the newest events of one stream and knows who listens.
type topic struct {
	stream Stream
	turns  *turns // of all listeners of the hub

	// dirty: the Status may have moved since shown was read. It is cleared
	// before the Status is read, so a move is never lost.
	dirty atomic.Bool

	// mu also orders refreshes: versions rise with the Status they show.
	mu struct {
		sync.Mutex
		listeners map[*listener]struct{}
		shown     follower.Status
		position  event
		state     event
		notBefore time.Time // pace of large events
	}
}

func newTopic(st Stream, turns *turns) *topic {
	t := &topic{stream: st, turns: turns}
	t.dirty.Store(true)
	t.mu.listeners = map[*listener]struct{}{}
	return t
}

// join adds a listener and makes sure that the events are of now. It reports
// whether the hub has to look: there was something new for all who listen, or
// there will be (a large event that must wait for its time).
func (t *topic) join(l *listener) (look bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.listeners[l] = struct{}{}
	look = t.dirty.Load()
	t.refreshLocked(time.Now())
	return look
}

func (t *topic) leave(l *listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.mu.listeners, l)
}

// refresh encodes what moved and gives the listeners a turn. It does nothing without
// listeners; a positive result is how long this topic has to wait.
func (t *topic) refresh(now time.Time) (wait time.Duration) {
	if !t.dirty.Load() {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.mu.listeners) == 0 {
		return 0
	}
	return t.refreshLocked(now)
}

func (t *topic) refreshLocked(now time.Time) (wait time.Duration) {
	if !t.dirty.Load() {
		return 0
	}
	if wait := t.mu.notBefore.Sub(now); wait > 0 {
		return wait
	}
	t.dirty.Store(false)
	if t.showLocked(t.stream.Status()) {
		t.paceLocked(now)
		t.turns.add(t.mu.listeners)
	}
	return 0
}

// showLocked replaces the events that differ from what st says.
func (t *topic) showLocked(st follower.Status) (changed bool) {
	mu := &t.mu
	switch {
	case !st.Known:
		mu.position.bytes = nil // an old epoch's position is nobody's present state
	case mu.position.bytes == nil || !samePosition(mu.shown, st):
		mu.position.replace(encodePosition(st))
		changed = true
	}
	if mu.state.bytes == nil || !sameState(mu.shown, st) {
		mu.state.replace(encodeState(st))
		changed = true
	}
	mu.shown = st
	return changed
}

// paceLocked allows about 4 MB a second of large events. A client has to take
// an event within writeTimeout, so this also bounds how many of them slow
// clients can keep alive.
func (t *topic) paceLocked(now time.Time) {
	if size := len(t.mu.position.bytes); size > largeEvent {
		t.mu.notBefore = now.Add(time.Duration(size) * time.Second / (4 << 20))
	}
}

// sent is what a client was last sent of a topic.
type sent struct{ position, state uint64 }

// newest returns the events that are newer than s, and s brought up to them.
func (t *topic) newest(s sent) (position, state []byte, now sent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now = s
	if p := t.mu.position; p.bytes != nil && p.version != s.position {
		position, now.position = p.bytes, p.version
	}
	if e := t.mu.state; e.version != s.state {
		state, now.state = e.bytes, e.version
	}
	return position, state, now
}

package web

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// pace is the least time between two rounds. One client costs a wake-up
	// and a write, so the clients of a daemon take at most one core,
	// however many they are and however fast a stream moves.
	pace          = 2 * time.Millisecond
	pacePerClient = 18 * time.Microsecond
	// round is how many clients are woken at a time: the next are then sent
	// what is new by then.
	round = 500
)

// hub turns what moved in the streams into events, once for all clients.
type hub struct {
	topics  []*topic
	turns   turns
	kick    chan struct{} // one waiting kick stands for any number
	clients atomic.Int64
}

func newHub(streams []Stream) *hub {
	h := &hub{kick: make(chan struct{}, 1)}
	for _, st := range streams {
		h.topics = append(h.topics, newTopic(st, &h.turns))
	}
	return h
}

// run publishes until ctx ends.
func (h *hub) run(ctx context.Context) {
	defer h.watch()()
	var again <-chan time.Time // nil unless a large event waits its turn
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.kick:
		case <-again:
		}
		again = nil
		if wait := h.publish(time.Now()); wait > 0 {
			again = time.After(wait)
		}
		woken, others := h.turns.wake(round)
		if others {
			h.look()
		}
		if !pause(ctx, max(pace, time.Duration(woken)*pacePerClient)) {
			return
		}
	}
}

// watch has every stream kick the hub; the result ends that.
func (h *hub) watch() (cancel func()) {
	var cancels []func()
	for _, t := range h.topics {
		cancels = append(cancels, t.stream.Watch(func() {
			t.dirty.Store(true)
			if h.clients.Load() > 0 {
				h.look()
			}
		}))
	}
	return func() {
		for _, c := range cancels {
			c()
		}
	}
}

// look makes the hub look at its topics soon. It never blocks.
func (h *hub) look() {
	select {
	case h.kick <- struct{}{}:
	default:
	}
}

// publish refreshes every topic; a positive result is when to look again even
// if nothing moves.
func (h *hub) publish(now time.Time) (wait time.Duration) {
	for _, t := range h.topics {
		if w := t.refresh(now); w > 0 && (wait == 0 || w < wait) {
			wait = w
		}
	}
	return wait
}

// pause waits; false means that ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// listener is one client's ear at some topics.
type listener struct {
	hub    *hub
	topics []*topic
	sent   []sent // per topic
	wake   chan struct{}
	waits  bool // for its turn; guarded by turns
}

// listen joins the topics. The caller must close the listener.
func (h *hub) listen(topics []*topic) *listener {
	l := &listener{hub: h, topics: topics, sent: make([]sent, len(topics)), wake: make(chan struct{}, 1)}
	h.clients.Add(1) // before joining: a move from here on kicks the hub
	for _, t := range topics {
		if t.join(l) {
			h.look()
		}
	}
	return l
}

func (l *listener) close() {
	for _, t := range l.topics {
		t.leave(l)
	}
	l.hub.clients.Add(-1)
}

// notify never blocks: one waiting wake-up stands for any number.
func (l *listener) notify() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// take hands over every event that has not been taken, the newest of its kind.
func (l *listener) take(send func(event []byte)) {
	for i, t := range l.topics {
		position, state, now := t.newest(l.sent[i])
		l.sent[i] = now
		if position != nil {
			send(position)
		}
		if state != nil {
			send(state)
		}
	}
}

package tracker

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Move tells a subscriber that the position or a writer's position has moved.
type Move struct {
	// Stream is the tracker's stream.
	Stream string
	// Position is P after the move; unchanged when only a writer moved.
	Position int64
	// Number counts the moves of this tracker from 1. It rises from call to
	// call; a step of more than one means that moves were conflated.
	Number uint64
}

// Subscribe has every later move told to tell: never under a lock, by the
// goroutine that moved, one call at a time. While a call is under way further
// moves are conflated: one more call follows, with the newest, made by the
// goroutine that is in it already. So a slow subscriber slows one mover, never
// misses the last move, and need not be safe for concurrent use.
//
// tell may call any method of the tracker, verbs and cancel included; a move
// it makes is told after it has returned. Once cancel has returned no call
// begins; one that had begun in another goroutine may still be running.
// cancel may be called more than once. Read the present state after
// Subscribe, not before, and no move lies between them unseen.
func (t *Tracker) Subscribe(tell func(Move)) (cancel func()) {
	return t.subscribers.add(tell)
}

// subscriberList is copied on write: movers read it without a lock.
type subscriberList struct {
	all     atomic.Pointer[[]*subscriber]
	writing sync.Mutex // held to replace all
}

func (l *subscriberList) add(tell func(Move)) (cancel func()) {
	s := &subscriber{tell: tell}
	l.replace(func(all []*subscriber) []*subscriber { return append(all, s) })
	return func() {
		s.cancel()
		l.replace(func(all []*subscriber) []*subscriber {
			return slices.DeleteFunc(all, func(o *subscriber) bool { return o == s })
		})
	}
}

func (l *subscriberList) replace(change func([]*subscriber) []*subscriber) {
	l.writing.Lock()
	defer l.writing.Unlock()
	var all []*subscriber
	if old := l.all.Load(); old != nil {
		all = slices.Clone(*old)
	}
	all = change(all)
	l.all.Store(&all)
}

func (l *subscriberList) tell(m Move) {
	all := l.all.Load()
	if all == nil {
		return
	}
	for _, s := range *all {
		s.offer(m)
	}
}

// subscriber delivers moves to one function.
type subscriber struct {
	tell func(Move)

	mu struct {
		sync.Mutex
		newest    Move   // to be told when its number is above told
		told      uint64 // number of the move told last
		telling   bool   // a goroutine is in deliver
		cancelled bool
	}
}

func (s *subscriber) cancel() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.cancelled = true
}

// offer tells the move, or leaves it to the goroutine that is telling.
func (s *subscriber) offer(m Move) {
	s.mu.Lock()
	if m.Number > s.mu.newest.Number {
		s.mu.newest = m
	}
	mine := !s.mu.telling
	s.mu.telling = true
	s.mu.Unlock()
	if mine {
		s.deliver()
	}
}

func (s *subscriber) deliver() {
	finished := false
	defer func() {
		if !finished { // tell panicked or ended its goroutine: later moves still get told
			s.mu.Lock()
			s.mu.telling = false
			s.mu.Unlock()
		}
	}()
	for {
		m, more := s.take()
		if !more {
			finished = true
			return
		}
		s.tell(m)
	}
}

// take returns the move to tell next. Without one it ends the telling under
// the same lock, so that no offer falls between.
func (s *subscriber) take() (m Move, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.cancelled || s.mu.newest.Number <= s.mu.told {
		s.mu.telling = false
		return Move{}, false
	}
	s.mu.told = s.mu.newest.Number
	return s.mu.newest, true
}

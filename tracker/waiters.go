package tracker

// waiter is one Wait or WaitWriter under way.
type waiter struct {
	target int64
	writer string
	// ready is closed once the waiter is out of the set; err is valid then.
	ready chan struct{}
	err   error

	forWriter    bool
	targetPlace  int // in waitSet.byTarget; -1 when it waits no more
	writerPlace  int // in its writer's heap; meaningless without forWriter
	nextReleased *waiter
}

// onTarget and onWriter are a waiter as each of its two heaps sees it.
type (
	onTarget struct{ *waiter }
	onWriter struct{ *waiter }
)

func (w onTarget) setPlace(i int) { w.targetPlace = i }
func (w onWriter) setPlace(i int) { w.writerPlace = i }

// waitSet holds the waiters, least target first, so that a move which
// satisfies none looks at one of them and no more. Who waits for a writer is
// also in that writer's heap: whichever is reached first ends the wait.
type waitSet struct {
	byTarget minHeap[onTarget]
	byWriter map[string]*minHeap[onWriter]
	released *waiter // satisfied under the lock, woken after it
}

func (s *waitSet) add(w *waiter) {
	s.byTarget.push(w.target, onTarget{w})
	if !w.forWriter {
		return
	}
	h := s.byWriter[w.writer]
	if h == nil {
		if s.byWriter == nil {
			s.byWriter = make(map[string]*minHeap[onWriter])
		}
		h = new(minHeap[onWriter])
		s.byWriter[w.writer] = h
	}
	h.push(w.target, onWriter{w})
}

// remove takes a waiter out and reports whether it was still waiting.
func (s *waitSet) remove(w *waiter) bool {
	if w.targetPlace < 0 {
		return false
	}
	s.byTarget.remove(w.targetPlace)
	if w.forWriter {
		h := s.byWriter[w.writer]
		if h.remove(w.writerPlace); h.len() == 0 {
			delete(s.byWriter, w.writer)
		}
	}
	return true
}

func (s *waitSet) release(w *waiter, err error) {
	s.remove(w)
	w.err, w.nextReleased, s.released = err, s.released, w
}

// reach releases those whose target p covers.
func (s *waitSet) reach(p int64) {
	for {
		target, w, ok := s.byTarget.min()
		if !ok || target > p {
			return
		}
		s.release(w.waiter, nil)
	}
}

// reachWriter releases those that wait for the writer and whose target its
// position covers.
func (s *waitSet) reachWriter(writer string, position int64) {
	for {
		h := s.byWriter[writer]
		if h == nil {
			return
		}
		if target, w, _ := h.min(); target <= position {
			s.release(w.waiter, nil)
			continue
		}
		return
	}
}

// fail releases all of them with the error.
func (s *waitSet) fail(err error) {
	for {
		_, w, ok := s.byTarget.min()
		if !ok {
			return
		}
		s.release(w.waiter, err)
	}
}

// take hands over the released waiters, to be woken once the lock is gone.
func (s *waitSet) take() *waiter {
	w := s.released
	s.released = nil
	return w
}

// wakeAll wakes a list of released waiters.
func (w *waiter) wakeAll() {
	for w != nil {
		next := w.nextReleased
		w.nextReleased = nil
		close(w.ready)
		w = next
	}
}

package ledger

import "container/heap"

// idHeap is a heap of ids, the lowest first.
type idHeap []int64

func (h idHeap) Len() int           { return len(h) }
func (h idHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h idHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push and Pop are for package heap only.
func (h *idHeap) Push(x any) { *h = append(*h, x.(int64)) }

// Pop is for package heap only.
func (h *idHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

func (h *idHeap) add(id int64) { heap.Push(h, id) }
func (h *idHeap) take() int64  { return heap.Pop(h).(int64) }

// openSet is the ids that are not done: it knows the lowest, and takes any away
// in logarithmic time.
type openSet struct {
	drawnAt map[int64]LSN // where the WAL stood after the draw
	low     idHeap        // a superset: what is gone stays until it is the lowest
}

func newOpenSet() openSet { return openSet{drawnAt: make(map[int64]LSN)} }

func (s *openSet) add(id int64, at LSN) {
	s.drawnAt[id] = at
	s.low.add(id)
}

func (s *openSet) remove(id int64) { delete(s.drawnAt, id) }

// lowest returns the lowest id; false when there is none.
func (s *openSet) lowest() (int64, bool) {
	for len(s.low) > 0 {
		if _, ok := s.drawnAt[s.low[0]]; ok {
			return s.low[0], true
		}
		s.low.take()
	}
	return 0, false
}

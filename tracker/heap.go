package tracker

// placed is what a minHeap holds: it is told its place, so that it can be
// taken out or moved from the middle.
type placed interface {
	// setPlace is given -1 when the element leaves the heap.
	setPlace(i int)
}

// minHeap is a binary heap by key whose elements know their place. The keys
// lie beside the elements, so that sifting reads one array and follows no
// pointer to compare; container/heap would call an interface for each step.
type minHeap[E placed] struct {
	slots []heapSlot[E]
}

type heapSlot[E placed] struct {
	key  int64
	elem E
}

func (h *minHeap[E]) len() int { return len(h.slots) }

// min returns the least key and its element; false when the heap is empty.
func (h *minHeap[E]) min() (key int64, elem E, ok bool) {
	if len(h.slots) == 0 {
		return 0, elem, false
	}
	return h.slots[0].key, h.slots[0].elem, true
}

func (h *minHeap[E]) push(key int64, elem E) {
	h.slots = append(h.slots, heapSlot[E]{key, elem})
	h.up(len(h.slots) - 1)
}

// update gives the element at place i another key.
func (h *minHeap[E]) update(i int, key int64) {
	grown := key > h.slots[i].key
	h.slots[i].key = key
	if grown {
		h.down(i)
	} else {
		h.up(i)
	}
}

// remove takes the element at place i out.
func (h *minHeap[E]) remove(i int) {
	last := len(h.slots) - 1
	gone, moved := h.slots[i], h.slots[last]
	h.slots[last] = heapSlot[E]{}
	h.slots = h.slots[:last]
	if i < last {
		h.slots[i] = heapSlot[E]{gone.key, moved.elem}
		h.update(i, moved.key)
	}
	gone.elem.setPlace(-1)
	h.shrink()
}

// shrink gives memory back after a crowd has left.
func (h *minHeap[E]) shrink() {
	if n := len(h.slots); cap(h.slots) > 1024 && n < cap(h.slots)/4 {
		h.slots = append(make([]heapSlot[E], 0, cap(h.slots)/2), h.slots...)
	}
}

func (h *minHeap[E]) up(i int) {
	s := h.slots[i]
	for i > 0 {
		parent := (i - 1) / 2
		if h.slots[parent].key <= s.key {
			break
		}
		h.set(i, h.slots[parent])
		i = parent
	}
	h.set(i, s)
}

func (h *minHeap[E]) down(i int) {
	s := h.slots[i]
	for {
		child := 2*i + 1
		if child >= len(h.slots) {
			break
		}
		if child+1 < len(h.slots) && h.slots[child+1].key < h.slots[child].key {
			child++
		}
		if s.key <= h.slots[child].key {
			break
		}
		h.set(i, h.slots[child])
		i = child
	}
	h.set(i, s)
}

func (h *minHeap[E]) set(i int, s heapSlot[E]) {
	h.slots[i] = s
	s.elem.setPlace(i)
}

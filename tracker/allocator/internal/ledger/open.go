package ledger

// openSet is the ids that are not done, in the order in which they were drawn,
// which is theirs. It holds nothing of ids that are done: an id that is never
// finished must not make memory grow with all that are drawn after it.
type openSet struct {
	byID          map[int64]*openID
	first, newest *openID
}

// openID is one of them.
type openID struct {
	id         int64
	at         LSN   // where the WAL stood after the draw
	before     int64 // the instance's id before it, done or not; 0 if it is the first
	prev, next *openID
}

func newOpenSet() openSet { return openSet{byID: make(map[int64]*openID)} }

// add adds an id above all others.
func (s *openSet) add(id int64, at LSN, before int64) {
	o := &openID{id: id, at: at, before: before, prev: s.newest}
	s.byID[id] = o
	if s.newest == nil {
		s.first = o
	} else {
		s.newest.next = o
	}
	s.newest = o
}

func (s *openSet) remove(id int64) {
	o := s.byID[id]
	delete(s.byID, id)
	if o.prev == nil {
		s.first = o.next
	} else {
		o.prev.next = o.next
	}
	if o.next == nil {
		s.newest = o.prev
	} else {
		o.next.prev = o.prev
	}
}

// lowest returns the lowest id; false when there is none.
func (s *openSet) lowest() (int64, bool) {
	if s.first == nil {
		return 0, false
	}
	return s.first.id, true
}

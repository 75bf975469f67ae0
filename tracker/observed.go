package tracker

import "slices"

// maxPending is how many ids above the position are remembered for a writer.
const maxPending = 64

// observed is a writer known by its rows only. Its position is its newest row
// at or below the stream's, so the rows above that must be remembered until
// the stream gets there.
type observed struct {
	name    string
	newest  int64   // newest row known to be at or below the stream's position; 0 if none
	pending []int64 // rows above it as of the last look, ascending
	moved   uint64  // writerSet.moves when a row was seen last
}

// note remembers a row and reports whether it raised the writer's position.
func (o *observed) note(id, p int64) bool {
	if len(o.pending) > 0 {
		o.upTo(p)
	}
	if id > p {
		o.wait(id)
		return false
	}
	if id <= o.newest {
		return false
	}
	o.newest = id
	return true
}

// upTo returns the newest row at or below p.
func (o *observed) upTo(p int64) (int64, bool) {
	passed := 0
	for passed < len(o.pending) && o.pending[passed] <= p {
		passed++
	}
	if passed > 0 {
		o.newest = max(o.newest, o.pending[passed-1])
		o.pending = slices.Delete(o.pending, 0, passed)
	}
	return o.newest, o.newest > 0
}

// wait keeps a row that lies above the stream's position. Of a row next to the
// newest one only the higher counts: the position never stops between ids that
// are both done.
func (o *observed) wait(id int64) {
	n := len(o.pending)
	if n > 0 && o.pending[n-1] == id-1 {
		o.pending[n-1] = id
		return
	}
	at, found := slices.BinarySearch(o.pending, id)
	if found {
		return
	}
	o.pending = slices.Insert(o.pending, at, id)
	if len(o.pending) > maxPending {
		o.thin()
	}
}

// thin forgets every second row but never the newest: the position of the
// writer is then told too low for a while, never too high.
func (o *observed) thin() {
	kept := o.pending[:0]
	for i, id := range o.pending {
		if (len(o.pending)-1-i)%2 == 0 {
			kept = append(kept, id)
		}
	}
	o.pending = kept
}

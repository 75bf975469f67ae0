package tracker

import (
	"cmp"
	"slices"
	"strings"
)

// MaxWriters is the greatest number of writers that Positions returns. Of the
// writers known by their rows alone hardly more are remembered; those that
// announce are all remembered, since forgetting one would let the minimum run
// past it.
const MaxWriters = 1000

// maxObserved is how many writers known by their rows alone are remembered
// before the longest silent are dropped, down to MaxWriters. Dropping a
// thousand at once instead of keeping a list in order of use makes the common
// case a look-up and a store.
const maxObserved = 2 * MaxWriters

// writerSet is what is known of the single writers. A writer is in announced
// when it takes part in the minimum, in observed when only rows of it were seen.
type writerSet struct {
	announced map[string]*announcer
	minimum   minHeap[*announcer]
	observed  map[string]*observed
	complete  map[string]int64
	recent    [16]*observed // some of observed, by recentSlot: cheaper than hashing the name for each row
	moves     uint64        // counts, to know who moved most recently
}

// announcer is a writer that takes part in the minimum.
type announcer struct {
	position int64  // last announced; 0 until claimed
	claimed  bool   // it has announced; false only for listed ones
	listed   bool   // named by Config.Writers: never leaves the minimum
	place    int    // in the minimum's heap
	moved    uint64 // writerSet.moves when it moved last
}

func (a *announcer) setPlace(i int) { a.place = i }

func newWriterSet(listed []string) writerSet {
	s := writerSet{announced: make(map[string]*announcer), observed: make(map[string]*observed)}
	for _, name := range listed {
		s.enter(name).listed = true
	}
	return s
}

func (s *writerSet) enter(name string) *announcer {
	a := &announcer{}
	s.announced[strings.Clone(name)] = a
	s.minimum.push(0, a)
	return a
}

// announce raises the writer's position and reports whether anything changed.
// A first announcement at 0 does: from now on it holds the minimum.
func (s *writerSet) announce(name string, id int64) bool {
	a := s.announced[name]
	if a == nil {
		a = s.enter(name)
	}
	if a.claimed && id <= a.position {
		return false
	}
	if !a.claimed {
		s.forgetObserved(name)
	}
	s.moves++
	a.claimed, a.moved = true, s.moves
	a.position = max(a.position, id)
	s.minimum.update(a.place, a.position)
	return true
}

// forget takes the writer away; a listed one counts as 0 again. It reports
// whether there was anything to forget.
func (s *writerSet) forget(name string) bool {
	known := s.forgetObserved(name)
	delete(s.complete, name)
	a := s.announced[name]
	switch {
	case a == nil || !a.claimed:
		return known
	case a.listed:
		a.claimed, a.position = false, 0
		s.minimum.update(a.place, 0)
	default:
		s.minimum.remove(a.place)
		delete(s.announced, name)
	}
	return true
}

// observe notes a row of the writer and reports whether that raised its
// position, p being the stream's. An announced position says more than rows.
func (s *writerSet) observe(name string, id, p int64) bool {
	if len(s.announced) > 0 {
		if a := s.announced[name]; a != nil && a.claimed {
			return false
		}
	}
	s.moves++
	o := s.observedNamed(name)
	o.moved = s.moves
	return o.note(id, p)
}

func (s *writerSet) observedNamed(name string) *observed {
	slot := &s.recent[recentSlot(name)]
	if *slot != nil && (*slot).name == name {
		return *slot
	}
	o := s.observed[name]
	if o == nil {
		if len(s.observed) >= maxObserved {
			s.dropSilent()
		}
		// Copied: the caller's text may be part of a large network buffer.
		o = &observed{name: strings.Clone(name)}
		s.observed[o.name] = o
	}
	*slot = o
	return o
}

// recentSlot spreads names that differ in their last letter, as those of
// numbered workers do.
func recentSlot(name string) int {
	if name == "" {
		return 0
	}
	return int(name[len(name)-1] & 15)
}

// dropSilent keeps the MaxWriters observed writers that moved most recently.
func (s *writerSet) dropSilent() {
	all := make([]*observed, 0, len(s.observed))
	for _, o := range s.observed {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b *observed) int { return cmp.Compare(b.moved, a.moved) })
	for _, o := range all[MaxWriters:] {
		delete(s.observed, o.name)
	}
	clear(s.recent[:])
}

func (s *writerSet) forgetObserved(name string) bool {
	_, known := s.observed[name]
	delete(s.observed, name)
	s.recent[recentSlot(name)] = nil
	return known
}

// claim returns the announced position of the writer, if it has announced.
func (s *writerSet) claim(name string) (int64, bool) {
	if a := s.announced[name]; a != nil && a.claimed {
		return a.position, true
	}
	return 0, false
}

// finish notes how far the writer is complete, and reports whether that is new.
func (s *writerSet) finish(name string, id int64) bool {
	if id <= s.covered(name) {
		return false
	}
	if s.complete == nil {
		s.complete = make(map[string]int64)
	}
	s.complete[strings.Clone(name)] = id
	return true
}

// covered is how far the writer's rows are known to be complete by itself.
func (s *writerSet) covered(name string) int64 {
	at, _ := s.claim(name)
	return max(at, s.complete[name])
}

// own returns the writer's own position: announced, or else its newest row at
// or below p; false when it has neither.
func (s *writerSet) own(name string, p int64) (int64, bool) {
	if at, ok := s.claim(name); ok {
		return at, true
	}
	if o := s.observed[name]; o != nil {
		return o.upTo(p)
	}
	return 0, false
}

// writerPosition is one writer as positions sees it.
type writerPosition struct {
	name     string
	position int64
	moved    uint64
}

// positions returns every writer that has a position of its own, at most
// MaxWriters, those that moved most recently.
func (s *writerSet) positions(p int64) []writerPosition {
	all := make([]writerPosition, 0, len(s.announced)+len(s.observed))
	for name, a := range s.announced {
		if a.claimed {
			all = append(all, writerPosition{name, a.position, a.moved})
		}
	}
	for _, o := range s.observed {
		if at, ok := o.upTo(p); ok {
			all = append(all, writerPosition{o.name, at, o.moved})
		}
	}
	if len(all) > MaxWriters {
		slices.SortFunc(all, func(a, b writerPosition) int { return cmp.Compare(b.moved, a.moved) })
		all = all[:MaxWriters]
	}
	return all
}

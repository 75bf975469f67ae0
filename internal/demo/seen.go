package demo

import "sync"

// seen remembers ids, one bit each. It is for several goroutines.
type seen struct {
	mu    sync.Mutex
	bits  []uint64
	count int
	twice int
}

// add notes an id, which is positive.
func (s *seen) add(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	word, bit := int(id/64), uint64(1)<<(id%64)
	for len(s.bits) <= word {
		s.bits = append(s.bits, 0)
	}
	if s.bits[word]&bit != 0 {
		s.twice++
		return
	}
	s.bits[word] |= bit
	s.count++
}

func (s *seen) has(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	word := int(id / 64)
	return word < len(s.bits) && s.bits[word]&(1<<(id%64)) != 0
}

// len is how many ids were seen, repeated how many came again.
func (s *seen) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

func (s *seen) repeated() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.twice
}

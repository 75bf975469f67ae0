package tracker

import (
	"fmt"
	"math"
	"sync"
)

// IDGenerator hands out the ids of a stream that has a single writer process,
// from memory. It is not safe with two processes on one table: those need a
// sequence. Its methods are safe for concurrent use.
type IDGenerator struct {
	step int64

	mu struct {
		sync.Mutex
		current int64
	}
}

// NewIDGenerator returns a generator whose first id is current + step. current
// is the furthest id stored: max(id), or min(id) where step is negative
// (allocator.OpenIDGenerator reads it from tables). An empty table, 0, counts as
// if it held the id 1 (-1 where step is negative): with a step of 1 (-1) its
// first id is 2 (-2), as with the reference. A step of 0 means 1.
func NewIDGenerator(current, step int64) *IDGenerator {
	g := &IDGenerator{step: step}
	switch {
	case step < 0:
		g.mu.current = min(current, -1)
	case step == 0:
		g.step = 1
		fallthrough
	default:
		g.mu.current = max(current, 1)
	}
	return g
}

// Next returns the next id. It panics when the ids of an int64 are used up,
// because to start over would hand out ids twice.
func (g *IDGenerator) Next() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.exhaustedLocked() {
		panic(fmt.Sprintf("tracker: no id left after %d in steps of %d", g.mu.current, g.step))
	}
	g.mu.current += g.step
	return g.mu.current
}

func (g *IDGenerator) exhaustedLocked() bool {
	if g.step < 0 {
		return g.mu.current < math.MinInt64-g.step
	}
	return g.mu.current > math.MaxInt64-g.step
}

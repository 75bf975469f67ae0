package peer

import (
	"context"
	"sync"
)

// Arrivals hands out who is waited for to those who wait, in either order.
type Arrivals struct {
	mu struct {
		sync.Mutex
		gates map[int64]chan struct{}
	}
}

// Mark says that the row with this id has arrived.
func (a *Arrivals) Mark(id int64) {
	gate := a.gate(id)
	select {
	case <-gate: // has arrived before
	default:
		close(gate)
	}
}

// Await returns when the row has arrived, at once if it has already.
func (a *Arrivals) Await(ctx context.Context, id int64) error {
	select {
	case <-a.gate(id):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *Arrivals) gate(id int64) chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.gates == nil {
		a.mu.gates = map[int64]chan struct{}{}
	}
	gate, ok := a.mu.gates[id]
	if !ok {
		gate = make(chan struct{})
		a.mu.gates[id] = gate
	}
	return gate
}

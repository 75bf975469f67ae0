package nettest

import (
	"sync"
	"time"
)

// Lane is one direction of a Relay.
type Lane struct {
	mu    sync.Mutex    // protects what follows
	open  chan struct{} // closed while bytes pass
	delay time.Duration
}

// Stall has nothing pass until Heal.
func (l *Lane) Stall() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.healLocked() // whoever waits for an earlier channel would wait for ever
	l.open = make(chan struct{})
}

// Slow delays each piece that passes, until Heal.
func (l *Lane) Slow(delay time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = delay
}

// Heal has everything pass at once.
func (l *Lane) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = 0
	l.healLocked()
}

func (l *Lane) healLocked() {
	if l.open == nil {
		l.open = make(chan struct{})
	}
	select {
	case <-l.open:
	default:
		close(l.open)
	}
}

func (l *Lane) wait() {
	l.mu.Lock()
	open, delay := l.open, l.delay
	l.mu.Unlock()
	<-open
	time.Sleep(delay)
}

package session

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pglogrepl"

	"github.com/tidemark-pg/tidemark/follower/internal/gate"
)

// maxPending bounds the memory of what waits at the gate: beyond so many runs
// the reader stops reading, but goes on replying.
const maxPending = 1 << 20

// maxSpare is how many emptied lists of runs are kept for reuse.
const maxSpare = 256

// pipe is what the reader and the gatekeeper share.
type pipe struct {
	mu struct {
		sync.Mutex
		queue    gate.Queue
		received pglogrepl.LSN // all WAL up to here has been decoded
		spare    [][]gate.Run
	}
	backlog atomic.Bool // what is read now was committed long before it was sent
	crowded atomic.Bool // commits come in crowds

	wake   chan struct{} // the queue was empty and is not any more
	roomy  chan struct{} // the queue was full and is not any more
	silent chan struct{} // the server has said nothing for long
}

func (p *pipe) init() {
	p.wake = make(chan struct{}, 1)
	p.roomy = make(chan struct{}, 1)
	p.silent = make(chan struct{}, 1)
}

// add queues a commit and reports whether there is room for more.
func (p *pipe) add(c gate.Commit) bool {
	p.mu.Lock()
	p.mu.received = max(p.mu.received, c.End)
	if len(c.Runs) > 0 {
		p.mu.queue.Add(c)
	}
	n := p.mu.queue.Len()
	full := p.mu.queue.Runs() >= maxPending
	p.mu.Unlock()
	if n > 0 {
		signal(p.wake)
	}
	return !full
}

// advance notes that the server has nothing for us up to lsn.
func (p *pipe) advance(lsn pglogrepl.LSN) {
	p.mu.Lock()
	p.mu.received = max(p.mu.received, lsn)
	p.mu.Unlock()
}

// confirmable is what may be confirmed to the slot now. RULES 2.
func (p *pipe) confirmable() pglogrepl.LSN {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.queue.Confirmable(p.mu.received)
}

// clear takes what the snapshot sees out of the queue.
func (p *pipe) clear(s gate.Snapshot, into []gate.Commit) (cleared []gate.Commit, left int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wasFull := p.mu.queue.Runs() >= maxPending
	cleared = p.mu.queue.Clear(s, into)
	if wasFull && p.mu.queue.Runs() < maxPending {
		signal(p.roomy)
	}
	return cleared, p.mu.queue.Len()
}

// waiting is how long the oldest commit has waited, and how many wait.
func (p *pipe) waiting(now time.Time) (time.Duration, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	oldest, some := p.mu.queue.Oldest()
	if !some {
		return 0, 0
	}
	return now.Sub(oldest), p.mu.queue.Len()
}

// runs returns an empty list to fill.
func (p *pipe) runs() []gate.Run {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.mu.spare); n > 0 {
		r := p.mu.spare[n-1]
		p.mu.spare = p.mu.spare[:n-1]
		return r
	}
	return nil
}

// recycle takes back the lists of commits that have been handed on.
func (p *pipe) recycle(commits []gate.Commit) {
	const large = 64
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range commits {
		if r := commits[i].Runs; cap(r) > 0 && cap(r) <= large && len(p.mu.spare) < maxSpare {
			clear(r)
			p.mu.spare = append(p.mu.spare, r[:0])
		}
	}
}

// signal wakes whoever waits on c; wake-ups coalesce.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

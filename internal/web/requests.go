package web

import "sync"

// requests counts the requests under way. A connection can hand over a request
// while the server closes, so counting and finishing exclude each other.
type requests struct {
	mu       sync.Mutex
	finished bool
	group    sync.WaitGroup
}

// begin is false once finish has been called.
func (r *requests) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.finished {
		return false
	}
	r.group.Add(1)
	return true
}

func (r *requests) end() { r.group.Done() }

// finish waits for the requests under way and lets no other begin.
func (r *requests) finish() {
	r.mu.Lock()
	r.finished = true
	r.mu.Unlock()
	r.group.Wait()
}

package allocator

import "github.com/tidemark-pg/tidemark/tracker"

// Token returns the stream's position together with the writers that are ahead
// of it, as far as this allocator has been told of them: something to store for
// a client and to compare later (tracker.Token).
func (a *Allocator) Token() tracker.Token { return a.tracker.Token() }

package allocator

import (
	"context"
	"fmt"
	"runtime"
	"testing"
)

// Close gives the name back though its context has ended.
func TestCloseGivesTheNameBackWhateverItsContext(t *testing.T) {
	t.Parallel()
	s := server(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	var all []*Allocator
	for i := range 8 {
		a := s.open(s.config(fmt.Sprint("a", i)))
		_ = a.Close(ended) // says what could not be announced
		all = append(all, a)
	}
	s.await("no name is held", func() bool {
		return s.number("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
	})
	runtime.KeepAlive(all) // else their connections end by themselves
}

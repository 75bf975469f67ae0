package allocator

import (
	"context"
	"testing"

	"github.com/tidemark-pg/tidemark/tracker"
)

// The instance's own position does not count for P before it has come back
// (RULES 16), but it does for those who wait for this instance, and who listen.
func TestWhoWaitsForThisInstance(t *testing.T) {
	t.Parallel()
	s := server(t)
	a := s.open(s.config("a"))
	open := s.next(s.open(s.config("c"))).IDs()[0]
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	waited := make(chan error, 1)
	go func() { waited <- a.WaitWriter(ctx, "a", open+1) }()
	told := make(chan tracker.Move, 100)
	defer a.Subscribe(func(m tracker.Move) { told <- m })()
	if id := s.write(a); id != open+1 {
		t.Fatalf("wrote %d, want %d", id, open+1)
	}
	if err := <-waited; err != nil {
		t.Fatal(err)
	}
	if err := a.WaitWriter(ctx, "a", open+1); err != nil {
		t.Error(err)
	}
	if at := a.CurrentTokenForWriter("a"); at != open+1 {
		t.Errorf("complete up to %d, want %d", at, open+1)
	}
	if p := a.CurrentToken(); p >= open {
		t.Errorf("position %d with %d open", p, open)
	}
	<-told
	for len(told) > 0 {
		<-told
	}

	// An idle instance moves too: others' ids are none of its own.
	further := s.number("SELECT nextval('foobar_seq')")
	if err := a.WaitWriter(ctx, "a", further); err != nil {
		t.Error(err)
	}
	select {
	case <-told:
	case <-ctx.Done():
		t.Error("nobody was told of an idle move")
	}
}

package allocator

import (
	"errors"
	"testing"
)

func TestOutOfOrderFinish(t *testing.T) {
	t.Parallel()
	s := server(t)
	a := s.open(s.config("a", "a"))
	if got := a.CurrentToken(); got != 0 {
		t.Fatalf("fresh sequence: position %d", got)
	}
	var h []*Handle
	for range 4 {
		h = append(h, s.next(a))
	}
	check := func(want int64) {
		t.Helper()
		s.await("position", func() bool { return a.CurrentToken() == want && a.CurrentTokenForWriter("a") == want })
		if got := a.MinimalLocalToken(); got != want {
			t.Errorf("minimal local token %d, want %d", got, want)
		}
	}
	ctx := t.Context()
	_ = h[1].Finish(ctx, nil)
	s.stays("open id 1 not passed", func() bool { return a.CurrentToken() == 0 })
	_ = h[0].Finish(ctx, nil)
	check(2)
	_ = h[3].Finish(ctx, errors.New("failed"))
	_ = h[2].Finish(ctx, nil)
	_ = h[2].Finish(ctx, errors.New("twice"))
	check(4)
	s.await("stored", func() bool { return s.stored("a") == 4 })
}

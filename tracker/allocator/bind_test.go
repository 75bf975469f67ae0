package allocator

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func (s *site) begin() pgx.Tx {
	s.t.Helper()
	tx, err := s.pool.Begin(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = tx.Rollback(context.Background()) }) // else the pool's end waits for it
	return tx
}

// A caller that gives up waiting for Bind does not cost the instance its name,
// and all who hold ids the right to write them.
func TestBindThatIsGivenUpKeepsTheName(t *testing.T) {
	t.Parallel()
	s := server(t)
	a := s.open(s.patient("a"))
	given, kept := s.next(a), s.next(a)
	holder := int(s.number("SELECT pid FROM pg_locks WHERE locktype = 'advisory'"))
	if err := syscall.Kill(holder, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	tx := s.begin()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	err := given.Bind(ctx, tx)
	cancel()
	if cont := syscall.Kill(holder, syscall.SIGCONT); cont != nil {
		t.Fatal(cont)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("bind beside a server that does not answer: %v", err)
	}
	if err := kept.Bind(t.Context(), s.begin()); err != nil {
		t.Errorf("another handle cannot be bound any more: %v", err)
	}
	if now := int(s.number("SELECT pid FROM pg_locks WHERE locktype = 'advisory'")); now != holder {
		t.Error("the lease is another session's")
	}
}

// What an allocator drew that has stopped may be somebody else's, or may have
// been passed.
func TestStoppedAllocatorBindsNothingAndHandsOutNothing(t *testing.T) {
	t.Parallel()
	s := server(t)
	a := s.open(s.patient("a"))
	h := s.next(a)
	<-a.lease.turn
	drawn := make(chan error, 1)
	go func() {
		_, err := a.Next(t.Context())
		drawn <- err
	}()
	s.await("the draw waits for its turn", func() bool {
		a.book.mu.Lock()
		defer a.book.mu.Unlock()
		return a.drawing && len(a.requests) == 0
	})
	a.fail(ErrWentBack)
	a.lease.turn <- struct{}{}
	if err := <-drawn; !errors.Is(err, ErrWentBack) {
		t.Errorf("next that was under way: %v", err)
	}
	if err := h.Bind(t.Context(), s.begin()); !errors.Is(err, ErrWentBack) {
		t.Errorf("bind: %v", err)
	}
}

package follower

import (
	"log/slog"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower/internal/fence"
)

// The move that gives a stream its first position comes before that is known: who
// watches is told once more, also where the state stays what it was.
func TestWhoWatchesIsToldThatAPositionIsKnown(t *testing.T) {
	for _, halted := range []string{"", "a column is missing"} {
		s, err := newStream(StreamConfig{Name: "s"}, Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		s.update(func(c *condition) { c.halted = halted })
		known := false
		cancel := s.Watch(func() { known = s.Status().Known })
		s.life.Load().settle(fence.Settled{UpTo: 1}, time.Now())
		cancel()
		if !known {
			t.Errorf("halted %q: the last that a watcher was told is that no position is known", halted)
		}
	}
}

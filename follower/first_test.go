package follower

import (
	"log/slog"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower/internal/fence"
	"github.com/tidemark-pg/tidemark/follower/internal/session"
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

// Nothing that the server says ends Run once a stream has been followed, from the
// moment on in which the slot is read: not at the next look of the fence.
func TestAStreamIsFollowedAsSoonAsTheSlotIsRead(t *testing.T) {
	f, err := New(Config{
		Database: "postgres://127.0.0.1/nowhere",
		Streams:  []StreamConfig{{Name: "s", Tables: []TableConfig{{Name: "t", IDColumn: "id"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.streams[0].life.Load().become()
	l := &listener{sessions: &sessions{Follower: f}, again: newRetry()}
	l.Phase(session.Phase{Step: session.Creating})
	if refused := (&RequirementError{}); !f.fatal(refused) {
		t.Error("a slot that is being made cannot be refused any more")
	}
	l.Phase(session.Phase{Step: session.Streaming})
	if refused := (&RequirementError{}); f.fatal(refused) {
		t.Error("a requirement that is broken ends Run, although the stream is followed")
	}
}

package logging

import (
	"context"
	"log/slog"
	"sync"
)

// maxHeld is how many records are kept; one more lets all of them through,
// for then there is something to tell.
const maxHeld = 500

// Hold keeps log records back until Release lets them through or Drop forgets
// them. What comes after either is not held: it goes through, or is dropped.
// All methods may be called from any goroutine and more than once; the first
// of Release and Drop decides.
type Hold struct {
	mu struct {
		sync.Mutex
		decided, dropped bool
		held             []held
	}
}

// held is a record with the handler that it was given to: attributes and
// groups are in that.
type held struct {
	to     slog.Handler
	record slog.Record
}

// Handler returns a handler that hands its records to next through h.
func (h *Hold) Handler(next slog.Handler) slog.Handler { return holding{h, next} }

// Release writes what was held, in order, with the time at which it was logged.
func (h *Hold) Release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.releaseLocked()
}

func (h *Hold) releaseLocked() {
	if h.mu.decided {
		return
	}
	h.mu.decided = true
	for _, r := range h.mu.held {
		// The contexts are gone, and no handler here looks at them. As with
		// any log line, one that cannot be written is lost.
		_ = r.to.Handle(context.Background(), r.record)
	}
	h.mu.held = nil
}

// Drop forgets what was held, and whatever is logged from now on.
func (h *Hold) Drop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.decided {
		return
	}
	h.mu.decided, h.mu.dropped, h.mu.held = true, true, nil
}

// take holds a record, or says that it should pass on to its handler.
func (h *Hold) take(r held) (pass bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.mu.dropped:
		return false
	case h.mu.decided:
		return true
	}
	h.mu.held = append(h.mu.held, held{r.to, r.record.Clone()})
	if len(h.mu.held) > maxHeld {
		h.releaseLocked()
	}
	return false
}

// holding is the slog.Handler in front of next.
type holding struct {
	hold *Hold
	next slog.Handler
}

// Enabled asks the next handler.
func (h holding) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle holds the record or passes it on.
func (h holding) Handle(ctx context.Context, r slog.Record) error {
	if h.hold.take(held{h.next, r}) {
		return h.next.Handle(ctx, r)
	}
	return nil
}

// WithAttrs returns a handler of the same hold.
func (h holding) WithAttrs(attrs []slog.Attr) slog.Handler {
	return holding{h.hold, h.next.WithAttrs(attrs)}
}

// WithGroup returns a handler of the same hold.
func (h holding) WithGroup(name string) slog.Handler {
	return holding{h.hold, h.next.WithGroup(name)}
}

package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/internal/audience"
	"github.com/tidemark-pg/tidemark/tracker"
)

const (
	// maxLeft is how many epochs that are over are remembered.
	maxLeft = 16
	// returnAfter is how long an epoch that was left must be told, and the
	// present one by nobody, until it is believed.
	returnAfter = 5 * time.Second
)

// Stream is a stream that is being followed. Its methods may be called from
// any goroutine, before, during and after Run. It satisfies tracker.Positions,
// and tail.Positions of package follower/tail.
//
// Until the first position is known, CurrentToken is 0 and waits go on.
type Stream struct {
	name string
	log  *slog.Logger

	life     atomic.Pointer[life]
	audience *audience.Audience

	moves atomic.Uint64
	late  atomic.Uint64

	// left and doubt are those of Run's goroutine.
	left  []string
	doubt struct {
		epoch string
		since time.Time
	}

	mu struct {
		sync.Mutex
		standing
	}
}

var _ tracker.Positions = (*Stream)(nil)

func newStream(name string, log *slog.Logger) (*Stream, error) {
	l, err := newLife(name, "", 0)
	if err != nil {
		return nil, err
	}
	s := &Stream{name: name, log: log.With("stream", name)}
	s.life.Store(l)
	s.mu.state = follower.StateStarting
	s.audience = audience.New(l.tracker)
	return s, nil
}

// Name of the stream.
func (s *Stream) Name() string { return s.name }

// CurrentToken returns the position P; 0 while none is known. It is cheap and
// takes no lock.
func (s *Stream) CurrentToken() int64 { return s.life.Load().tracker.CurrentToken() }

// CurrentTokenForWriter returns how far that writer's rows are complete.
func (s *Stream) CurrentTokenForWriter(writer string) int64 {
	return s.life.Load().tracker.CurrentTokenForWriter(writer)
}

// Positions returns the newest id of each writer at or below the position
// (transaction), or its announced position, as the daemon tells them.
func (s *Stream) Positions() map[string]int64 { return s.life.Load().tracker.Positions() }

// Epoch returns the history that positions belong to now; "" while unknown.
func (s *Stream) Epoch() string { return s.life.Load().epoch }

// Wait blocks until the position covers the given one, in this epoch or a
// later one, or ctx ends.
func (s *Stream) Wait(ctx context.Context, position int64) error {
	return s.WaitFor(ctx, follower.Target{Position: position})
}

// WaitWriter blocks until the position, or that writer's, covers the given one.
func (s *Stream) WaitWriter(ctx context.Context, writer string, position int64) error {
	return s.WaitFor(ctx, follower.Target{Position: position, Writer: writer, ByWriter: true})
}

// WaitFor blocks until the target is reached. It returns an error that wraps
// that of ctx when that ends first, and a *follower.EpochError as soon as the
// target's epoch is not, or no longer, the stream's.
func (s *Stream) WaitFor(ctx context.Context, t follower.Target) error {
	for {
		l := s.life.Load()
		if t.Epoch != "" && l.epoch != "" && l.epoch != t.Epoch {
			return &follower.EpochError{Stream: s.name, Want: t.Epoch, Have: l.epoch}
		}
		if err := l.wait(ctx, t); !errors.Is(err, errLifeOver) {
			return err
		}
		// The life is over; the next one is there before its end is told.
	}
}

// Subscribe has every move told to tell, conflated: a slow subscriber gets the
// newest. tell is called from Run's goroutine and must not block; it goes on to
// be called across epochs.
func (s *Stream) Subscribe(tell func(tracker.Move)) (cancel func()) {
	return s.audience.Subscribe(tell)
}

// Watch has fn called after anything in Status has changed. fn is called from
// Run's goroutine, may be called more often than needed, and must not block.
func (s *Stream) Watch(fn func()) (cancel func()) { return s.audience.Watch(fn) }

// tell calls the watchers.
func (s *Stream) tell() { s.audience.Tell() }

// Status returns everything known of the stream now. State and Reason are the
// daemon's own while there is a connection. Allocated, HeldBy, CheckedAt and
// LateRows are as old as the last look: the daemon is asked at the beginning of
// a connection and then once in a while when nothing moves. Rows and
// UnsettledSince are not known here; Moves counts those seen.
func (s *Stream) Status() follower.Status {
	st := follower.Status{Name: s.name, LateRows: s.late.Load(), Moves: s.moves.Load()}
	s.mu.Lock()
	st.State, st.Reason = s.mu.state, s.mu.reason
	s.mu.Unlock()
	s.life.Load().describe(&st)
	return st
}

// stand changes the state.
func (s *Stream) stand(now standing) {
	s.mu.Lock()
	changed := s.mu.standing != now
	s.mu.standing = now
	s.mu.Unlock()
	if changed {
		s.tell()
	}
}

// take takes what a daemon told: gone are writers that it does not tell of any
// more. The error is a *staleEpochError where it tells of a history that is
// over.
func (s *Stream) take(m *message, gone []string, now time.Time) error {
	if m.position != nil {
		if err := s.enter(m, now); err != nil {
			return err
		}
		s.advance(s.life.Load(), m.position, gone, now)
	}
	if m.look != nil {
		s.late.Store(m.look.lateRows)
		if m.position != nil { // else it is of a daemon that does not know yet
			s.life.Load().note(m.look)
		}
		s.tell()
	}
	if m.standing != nil {
		s.stand(*m.standing)
	}
	return nil
}

func (s *Stream) advance(l *life, p *position, gone []string, now time.Time) {
	if l.advance(p, gone, now) {
		s.moves.Add(1)
	}
	if !isClosed(l.known) {
		close(l.known)
		s.tell() // a position of 0 is no move
	}
}

// enter begins the life that a position belongs to, where it is another one.
func (s *Stream) enter(m *message, now time.Time) error {
	l, told := s.life.Load(), m.position.epoch
	verdict := judge(told, l.epoch, s.left)
	if verdict == epochReturned && s.persists(told, now) {
		verdict = epochNewer
	}
	switch {
	case verdict == epochOlder, verdict == epochReturned:
		return &staleEpochError{stream: s.name, told: told, present: l.epoch}
	case verdict == epochNewer:
		return s.startOver(told, m.sign())
	}
	s.doubt.epoch = ""
	switch sign := m.sign(); {
	case sign == 0 || isClosed(l.directed):
		return nil
	case sign < 0:
		return s.startOver(told, sign)
	}
	close(l.directed)
	return nil
}

// persists reports whether an epoch that was left has been told for long
// enough, and the present one by nobody meanwhile.
func (s *Stream) persists(told string, now time.Time) bool {
	if s.doubt.epoch != told {
		s.doubt.epoch, s.doubt.since = told, now
	}
	return now.Sub(s.doubt.since) >= returnAfter
}

// startOver begins another life. Waiters that named the old epoch fail at once
// (RULES 11).
func (s *Stream) startOver(epoch string, sign int) error {
	next, err := newLife(s.name, epoch, sign)
	if err != nil {
		return fmt.Errorf("begin an epoch: %w", err)
	}
	s.audience.Enter(next.tracker)
	old := s.life.Swap(next)
	old.end()
	if old.epoch != "" && old.epoch != epoch {
		s.leave(old.epoch, epoch)
	}
	s.tell()
	return nil
}

// leave remembers an epoch that is over.
func (s *Stream) leave(old, now string) {
	s.log.Warn("the epoch has changed: positions of the old one mean nothing now", "old", old, "new", now)
	s.doubt.epoch = ""
	s.left = slices.DeleteFunc(s.left, func(e string) bool { return e == now })
	if s.left = append(s.left, old); len(s.left) > maxLeft {
		s.left = slices.Delete(s.left, 0, 1)
	}
}

package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
)

const (
	// silence is how long a daemon may say nothing; it has a heartbeat of 15 s.
	silence = 40 * time.Second
	// lookEvery is how long a stream stands until it is asked about.
	lookEvery = 30 * time.Second
	// lookAgain is when a stream is asked about again whose daemon did not know
	// yet what has been allocated.
	lookAgain = time.Second
	// hopAfter is how long a daemon may be without a server where there is
	// another daemon, hopSoon how long without the slot that another one reads.
	hopAfter = 10 * time.Second
	hopSoon  = 3 * time.Second
)

// session is one connection to one daemon:
//
//	events ─ read ──┐
//	                ├─ messages ─ run: the streams
//	answers ─ look ─┘
//
// The goroutine of run alone changes the streams.
type session struct {
	of      *Follower
	base    string
	working func(base string)
	log     *slog.Logger

	asks     chan *Stream // to be looked at
	messages chan *message
	streams  map[*Stream]*told
	hop      <-chan time.Time // nil: this daemon is as good as another
	staying  time.Duration    // what hop was set to
	again    <-chan time.Time // nil: no answer was incomplete

	heard  bool
	retry  time.Duration
	lastID string
}

// told is what a session remembers of a stream.
type told struct {
	writers    map[string]int64 // in the last event
	epoch      string           // in the last event
	state      follower.State
	moved      bool // since it was asked about last, because it stood still
	incomplete bool // the last answer was
}

func newSession(f *Follower, base string, working func(string)) *session {
	s := &session{
		of: f, base: base, working: working, log: f.log.With("url", base), retry: -1,
		asks: make(chan *Stream, 2*len(f.streams)), messages: make(chan *message),
		streams: make(map[*Stream]*told, len(f.streams)),
	}
	for _, stream := range f.streams {
		s.streams[stream] = &told{}
	}
	return s
}

// run follows until the connection is of no use any more, and says why.
func (s *session) run(parent context.Context) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	alarm := time.AfterFunc(patience, func() { cancel(errSilent) })
	defer alarm.Stop()
	res, err := s.of.asker.get(ctx, s.base, eventsPath(s.of.streams), "text/event-stream", s.lastID)
	if err != nil {
		return causeOf(ctx, err)
	}
	alarm.Stop()

	var group sync.WaitGroup
	group.Go(func() { cancel(s.read(ctx, res, alarm)) })
	group.Go(func() { cancel(s.look(ctx)) })
	err = s.follow(ctx) // the first of the three to fail says why
	cancel(err)
	group.Wait()
	return err
}

// causeOf prefers our own reason for an end to what it looks like.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// read hands over the events until the connection ends.
func (s *session) read(ctx context.Context, res *http.Response, alarm *time.Timer) error {
	defer res.Body.Close()
	events := newEventReader(&listening{from: res.Body, alarm: alarm})
	defer func() { // run reads them after this goroutine has ended
		s.retry = events.retry
		if events.lastID != "" {
			s.lastID = events.lastID
		}
	}()
	for {
		e, err := events.next()
		switch {
		case errors.Is(err, io.EOF):
			return causeOf(ctx, errEnded)
		case err != nil:
			return causeOf(ctx, s.of.asker.hidden(err))
		}
		m, err := s.of.readEvent(e)
		if err != nil {
			return s.of.asker.hidden(err)
		}
		if !s.hand(ctx, m) {
			return context.Cause(ctx)
		}
	}
}

// hand gives a message to run; false once the session is over.
func (s *session) hand(ctx context.Context, m *message) bool {
	if m == nil {
		return true
	}
	select {
	case s.messages <- m:
		return true
	case <-ctx.Done():
		return false
	}
}

// listening raises the alarm when nothing comes. The time that we take to deal
// with what came does not count.
type listening struct {
	from  io.Reader
	alarm *time.Timer
}

func (l *listening) Read(p []byte) (int, error) {
	l.alarm.Reset(silence)
	defer l.alarm.Stop()
	return l.from.Read(p)
}

// look asks about streams, one at a time. A refusal ends the session; whatever
// else goes wrong is told by the events, or does not matter.
func (s *session) look(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case stream := <-s.asks:
			m, err := s.of.asker.look(ctx, s.base, stream)
			var refusal *RefusedError
			switch {
			case errors.As(err, &refusal):
				return err
			case err != nil && ctx.Err() == nil:
				s.log.Debug("look failed", "error", err)
			}
			if !s.hand(ctx, m) {
				return context.Cause(ctx)
			}
		}
	}
}

// follow gives what is told to the streams.
func (s *session) follow(ctx context.Context) error {
	quiet := time.NewTicker(lookEvery)
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case m := <-s.messages:
			if err := s.take(m, time.Now()); err != nil {
				return err
			}
		case <-quiet.C:
			s.askQuiet()
		case <-s.again:
			s.askAgain()
		case <-s.hop:
			return errIdle
		}
	}
}

// askQuiet has the streams looked at that have not moved since the last time.
func (s *session) askQuiet() {
	for _, stream := range s.of.streams {
		t := s.streams[stream]
		if !t.moved {
			s.ask(stream)
		}
		t.moved = false
	}
}

// askAgain has the streams looked at of which little was known.
func (s *session) askAgain() {
	s.again = nil
	for stream, t := range s.streams {
		if t.incomplete {
			t.incomplete = false
			s.ask(stream)
		}
	}
}

func (s *session) ask(stream *Stream) {
	select {
	case s.asks <- stream:
	default: // so much is asked already that the next time will do
	}
}

func (s *session) take(m *message, now time.Time) error {
	if !m.told {
		return s.takeAnswer(m, now)
	}
	t := s.streams[m.stream]
	if err := m.stream.take(m, t.gone(m.position), now); err != nil {
		return err
	}
	if t.note(m) {
		s.ask(m.stream)
	}
	s.consider()
	if !s.heard {
		s.heard = true
		s.working(s.base)
	}
	return nil
}

// takeAnswer leaves out an answer of another history: behind one address it may
// be another daemon's than the one whose events are read.
func (s *session) takeAnswer(m *message, now time.Time) error {
	var stale *staleEpochError
	err := m.stream.take(m, nil, now)
	if errors.As(err, &stale) {
		s.log.Debug("look left out", "error", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("take an answer: %w", err)
	}
	if m.position != nil && m.look.allocated == nil {
		s.streams[m.stream].incomplete = true
		if s.again == nil {
			s.again = time.After(lookAgain)
		}
	}
	return nil
}

// note remembers an event, and reports whether there is something new that only
// a look tells: another state or epoch, the first one too.
func (t *told) note(m *message) (news bool) {
	if p := m.position; p != nil {
		news = p.epoch != t.epoch
		t.moved, t.writers, t.epoch = true, p.writers, p.epoch
	}
	if m.standing != nil {
		news = news || m.standing.state != t.state
		t.state = m.standing.state
	}
	return news
}

// gone are the writers that this daemon has told of, and does not any more:
// what another daemon told of it may not know.
func (t *told) gone(p *position) []string {
	if p == nil {
		return nil
	}
	var gone []string
	for name := range t.writers {
		if _, still := p.writers[name]; !still {
			gone = append(gone, name)
		}
	}
	return gone
}

// consider decides how long to stay where no stream goes on for want of the
// server or of the slot, which another daemon may have. (A standby's positions
// may come from its fence; announced ones never do.)
func (s *session) consider() {
	stay, standby := time.Duration(0), false
	for _, t := range s.streams {
		switch t.state {
		case follower.StateFollowing, follower.StateCatchingUp:
			s.stay(0)
			return
		case follower.StateStandby: // there is one that reads the slot
			standby = true
		case follower.StateReconnecting, follower.StateStarting:
			stay = hopAfter
		case follower.StateHalted: // it would be at another daemon too
		}
	}
	if standby {
		stay = hopSoon
	}
	s.stay(stay)
}

// stay leaves the daemon when it has been without what it needs for so long; 0:
// it has that.
func (s *session) stay(d time.Duration) {
	if d == s.staying || len(s.of.bases) == 1 {
		return
	}
	s.staying, s.hop = d, nil
	if d > 0 {
		s.hop = time.After(d)
	}
}

package webtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/web"
)

// Source is a web.Source held in memory. Ready follows the streams' states.
type Source []*Stream

// NewSource returns a Source of following streams at position 0, epoch "e1".
func NewSource(names ...string) Source {
	var s Source
	for _, n := range names {
		s = append(s, NewStream(n))
	}
	return s
}

// Streams lists the streams in their order.
func (s Source) Streams() []web.Stream {
	streams := make([]web.Stream, 0, len(s))
	for _, st := range s {
		streams = append(streams, st)
	}
	return streams
}

// Stream finds a stream by name.
func (s Source) Stream(name string) (web.Stream, bool) {
	i := slices.IndexFunc(s, func(st *Stream) bool { return st.name == name })
	if i < 0 {
		return nil, false
	}
	return s[i], true
}

// Ready names the first stream that is not following.
func (s Source) Ready() (ok bool, why string) {
	for _, st := range s {
		if now := st.Status(); now.State != follower.StateFollowing {
			return false, fmt.Sprintf("stream %q is %s: %s", now.Name, now.State, now.Reason)
		}
	}
	return true, ""
}

// Stream is a web.Stream whose Status the test sets.
type Stream struct {
	name string

	mu       sync.Mutex
	status   follower.Status
	watchers map[*func()]struct{}
	moved    chan struct{} // closed and replaced by every Update
}

// NewStream returns a following stream at position 0, epoch "e1".
func NewStream(name string) *Stream {
	return &Stream{
		name:     name,
		status:   follower.Status{Name: name, Known: true, State: follower.StateFollowing, Epoch: "e1", LSN: 1},
		watchers: map[*func()]struct{}{},
		moved:    make(chan struct{}),
	}
}

// Update changes the status as one move and tells the watchers.
func (s *Stream) Update(change func(*follower.Status)) {
	s.mu.Lock()
	next := s.status
	next.Writers = maps.Clone(next.Writers)
	change(&next)
	s.status = next
	close(s.moved)
	s.moved = make(chan struct{})
	watchers := slices.Collect(maps.Keys(s.watchers))
	s.mu.Unlock()
	for _, fn := range watchers {
		(*fn)()
	}
}

// Move sets the position.
func (s *Stream) Move(position int64) {
	s.Update(func(st *follower.Status) { st.Position = position })
}

// Name of the stream.
func (s *Stream) Name() string { return s.name }

// Status is the status as it was set last.
func (s *Stream) Status() follower.Status {
	status, _ := s.now()
	return status
}

func (s *Stream) now() (follower.Status, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status, s.moved
}

// Watch has fn called after every Update.
func (s *Stream) Watch(fn func()) (cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers[&fn] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, &fn)
	}
}

// WaitFor waits until the target is reached. Targets below zero are descending.
func (s *Stream) WaitFor(ctx context.Context, t follower.Target) error {
	for {
		status, moved := s.now()
		if status.Known && t.Epoch != "" && t.Epoch != status.Epoch {
			return &follower.EpochError{Stream: s.name, Want: t.Epoch, Have: status.Epoch}
		}
		if status.Known && reached(status, t) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
		}
	}
}

func reached(st follower.Status, t follower.Target) bool {
	covers := func(id int64) bool { return id >= t.Position }
	if t.Position < 0 {
		covers = func(id int64) bool { return id <= t.Position }
	}
	return covers(st.Position) || t.ByWriter && covers(st.Writers[t.Writer])
}

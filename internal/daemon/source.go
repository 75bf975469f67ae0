package daemon

import (
	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/web"
)

// source shows a follower to the web server and the metrics.
type source struct {
	*follower.Follower
	streams []web.Stream
}

var _ web.Source = (*source)(nil)

func newSource(f *follower.Follower) *source {
	s := &source{Follower: f}
	for _, st := range f.Streams() {
		s.streams = append(s.streams, st)
	}
	return s
}

// Streams lists every stream in the order of the configuration.
func (s *source) Streams() []web.Stream { return s.streams }

// Stream finds a stream by its name.
func (s *source) Stream(name string) (web.Stream, bool) {
	st, ok := s.Follower.Stream(name)
	return st, ok
}

package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
)

// Follower follows streams of a daemon, or of several that serve the same
// ones. Its methods may be called from any goroutine.
type Follower struct {
	log     *slog.Logger
	bases   []string
	streams []*Stream
	byName  map[string]*Stream
	asker   *asker

	running atomic.Bool
}

// New checks the configuration and returns a Follower that does nothing until
// Run. The error lists everything that is wrong, and never shows the token.
func New(cfg Config) (*Follower, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("configure remote follower: %w", err)
	}
	f := &Follower{
		log: cfg.Logger, bases: cfg.bases(), asker: newAsker(cfg),
		byName: make(map[string]*Stream, len(cfg.Streams)),
	}
	for _, name := range cfg.Streams {
		s, err := newStream(name, cfg.Logger)
		if err != nil {
			return nil, fmt.Errorf("configure remote follower: %w", err)
		}
		f.streams, f.byName[name] = append(f.streams, s), s
	}
	return f, nil
}

// Stream returns the stream with that name.
func (f *Follower) Stream(name string) (*Stream, bool) {
	s, ok := f.byName[name]
	return s, ok
}

// Streams returns all streams, in the order of the configuration.
func (f *Follower) Streams() []*Stream {
	return append([]*Stream(nil), f.streams...)
}

// Ready reports whether every stream is being followed. If not, why names the
// streams, their states and reasons.
func (f *Follower) Ready() (ok bool, why string) {
	for _, s := range f.streams {
		status := s.Status()
		if status.State == follower.StateFollowing {
			continue
		}
		if why != "" {
			why += "; "
		}
		why += fmt.Sprintf("stream %q is %s", status.Name, status.State)
		if status.Reason != "" {
			why += ": " + status.Reason
		}
	}
	return why == "", why
}

// Run follows the streams until ctx ends, and then returns nil. A daemon that
// cannot be reached is tried again for ever. Run ends with a *RefusedError when
// every address has refused in a row before anything was heard; afterwards
// nothing but ctx ends it. A Follower runs once: the second call returns
// follower.ErrRunning.
func (f *Follower) Run(ctx context.Context) error {
	if !f.running.CompareAndSwap(false, true) {
		return follower.ErrRunning
	}
	defer f.asker.release()
	return (&chase{Follower: f, pace: newPace(len(f.bases)), said: make(map[string]bool)}).run(ctx)
}

// chase goes from one connection to the next. It belongs to Run's goroutine.
type chase struct {
	*Follower
	pace    *pace
	lastID  string
	heard   bool            // something, ever
	refused int             // addresses in a row
	failed  int             // attempts since a daemon was followed
	said    map[string]bool // reasons logged since then
}

// maxLines is how many different reasons are logged until a daemon is followed.
const maxLines = 20

func (c *chase) run(ctx context.Context) error {
	for at := 0; ; at = (at + 1) % len(c.bases) {
		s := newSession(c.Follower, c.bases[at], c.working)
		s.lastID = c.lastID
		begun := time.Now()
		err := s.run(ctx)
		if ctx.Err() != nil {
			return nil
		}
		c.lastID = s.lastID
		if s.heard && time.Since(begun) >= steady {
			c.pace.succeeded()
		}
		if c.lost(s, err) {
			return err
		}
		sleep(ctx, c.pace.next(s.retry))
	}
}

// working notes that a daemon has told something.
func (c *chase) working(base string) {
	c.heard, c.refused = true, 0
	c.log.Info("following a daemon", "url", base, "failures", c.failed)
	c.failed = 0
	clear(c.said)
}

// lost shows why there is no connection any more, and reports whether that is
// for good.
func (c *chase) lost(s *session, err error) (forGood bool) {
	now := standing{state: follower.StateReconnecting, reason: fmt.Sprintf("no daemon can be followed: %s: %v", s.base, err)}
	var refusal *RefusedError
	if c.refused++; !errors.As(err, &refusal) {
		c.refused = 0
	} else if now = (standing{state: follower.StateHalted, reason: err.Error()}); !c.heard && c.refused >= len(c.bases) {
		return true
	}
	for _, stream := range c.streams {
		stream.disconnected(now)
	}
	c.failed++
	if !c.said[now.reason] && len(c.said) < maxLines { // the same failure again is no news
		c.log.Warn("not following; trying again", "reason", now.reason)
		c.said[now.reason] = true
	}
	return false
}

// disconnected shows that no daemon is followed; before the first position a
// stream is still starting.
func (s *Stream) disconnected(now standing) {
	if now.state == follower.StateReconnecting && !isClosed(s.life.Load().known) {
		now.state = follower.StateStarting
	}
	s.stand(now)
}

package follower

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark-pg/tidemark/follower/internal/catalog"
	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

// Follower follows streams of one database. Its methods may be called from any
// goroutine.
type Follower struct {
	cfg     Config
	unnamed bool // the temporary slot's name is ours to choose
	spec    catalog.Spec
	dialer  *server.Dialer
	decodes *server.Dialer // the standby that carries the slot; nil: the primary does
	streams []*Stream

	ground  *ground
	counts  counts
	readers *readers // nil: nobody reads standbys

	// probe asks the fence for a probe: a gap was seen.
	probe chan struct{}
	// review asks the warden to look again at the server and the catalog.
	review chan struct{}
	// flush asks the warden to force the WAL to disk.
	flush chan struct{}
	// reload asks the session to begin anew: what it loaded is not true any more.
	reload chan struct{}
	// keep asks the keeper to write the positions down.
	keep chan struct{}

	// passed is the WAL position up to which every commit has been decoded and
	// has passed the gate, in this session or one before; trusted is where it
	// stood when the publications were last seen to be whole: a server may send
	// nothing of a publication that is missing, and not say so.
	passed, trusted atomic.Uint64

	running  atomic.Bool
	reached  atomic.Bool // the slot has been reached, or there is none to reach
	followed atomic.Bool // a stream has been followed: nothing is fatal any more
	aided    atomic.Bool // rows are streaming: they tell of gaps
}

// counts are the counters behind Stats.
type counts struct {
	fences, reconnects, resyncs atomic.Uint64
}

// New checks the configuration and returns a Follower that does nothing until
// Run. The error lists everything that is wrong, and never shows a password.
func New(cfg Config) (*Follower, error) {
	unnamed := cfg.Slot.Kind == SlotTemporary && cfg.Slot.Name == ""
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("configure follower: %w", err)
	}
	dialer, err := server.NewDialer(cfg.Database, cfg.ApplicationName)
	if err != nil {
		return nil, fmt.Errorf("configure follower: %w", err)
	}
	f := &Follower{
		cfg: cfg, unnamed: unnamed, spec: cfg.spec(), dialer: dialer, ground: newGround(),
		probe: make(chan struct{}, 1), review: make(chan struct{}, 1), flush: make(chan struct{}, 1), keep: make(chan struct{}, 1), reload: make(chan struct{}, 1),
	}
	if cfg.Slot.Standby != "" {
		if f.decodes, err = server.NewStandbyDialer(cfg.Slot.Standby, cfg.ApplicationName); err != nil {
			return nil, fmt.Errorf("configure follower: %w", err)
		}
	}
	for _, s := range cfg.Streams {
		stream, err := newStream(s, cfg)
		if err != nil {
			return nil, fmt.Errorf("configure follower: %w", err)
		}
		f.streams = append(f.streams, stream)
	}
	if f.readers, err = newReaders(f); err != nil {
		return nil, fmt.Errorf("configure follower: %w", err)
	}
	f.reached.Store(cfg.Slot.Kind == SlotNone)
	return f, nil
}

// ErrRunning is returned by a second call of Run.
var ErrRunning = errors.New("the follower has been run already")

// Run follows the streams until ctx ends, and then returns nil after an
// orderly stop: what has been followed is confirmed to the slot, and the slot
// is free. A server that cannot be reached, or is starting up, is tried again
// for ever. Refused credentials and unmet requirements end Run with an error as
// long as no stream has been followed; afterwards nothing does.
// A Follower runs once.
func (f *Follower) Run(ctx context.Context) error {
	if !f.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, loops := errgroup.WithContext(ctx)
	group.Go(func() error { return (&warden{Follower: f}).run(loops) })
	group.Go(func() error { return (&fencer{Follower: f}).run(loops) })
	if f.cfg.Slot.Kind == SlotNone {
		group.Go(func() error { return (&surveys{f}).run(loops) })
	} else {
		group.Go(func() error { return (&sessions{Follower: f}).run(loops) })
	}
	if f.readers != nil {
		group.Go(func() error { return f.readers.run(loops) })
	}
	stop := f.keeping()
	err := group.Wait()
	stop()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// keeping begins to write positions down and to notify, where that is asked for,
// and returns what ends it: after the loops, so that the last position is the
// exact one.
func (f *Follower) keeping() (stop func()) {
	if f.cfg.Published == (PublishedConfig{}) {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		(&keeper{Follower: f}).run(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}

// Stream returns the stream with that name.
func (f *Follower) Stream(name string) (*Stream, bool) {
	for _, s := range f.streams {
		if s.name == name {
			return s, true
		}
	}
	return nil, false
}

// Streams returns all streams, in the order of the configuration.
func (f *Follower) Streams() []*Stream {
	return append([]*Stream(nil), f.streams...)
}

// Stats returns the follower's counters.
func (f *Follower) Stats() Stats {
	return Stats{
		Fences:     f.counts.fences.Load(),
		Reconnects: f.counts.reconnects.Load(),
		Resyncs:    f.counts.resyncs.Load(),
	}
}

// Ready reports whether every stream is being followed. If not, why names the
// streams, their states and reasons.
func (f *Follower) Ready() (ok bool, why string) {
	for _, s := range f.streams {
		status := s.Status()
		if status.State == StateFollowing {
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

// fatal decides what becomes of an error of one of the loops: before any
// stream has been followed, an answer that will be the same the next time ends
// Run.
func (f *Follower) fatal(err error) bool {
	var unmet *RequirementError
	return !f.followed.Load() && (server.Refused(err) || errors.As(err, &unmet))
}

// lasts notes that a stream is being followed, quiet ones too: from then on
// nothing that the server says ends Run.
func (f *Follower) lasts() {
	known := func(s *Stream) bool { return s.life.Load().isKnown() }
	if f.reached.Load() && slices.ContainsFunc(f.streams, known) {
		f.followed.Store(true)
	}
}

// request wakes the loop that listens on c; requests coalesce.
func request(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

package torture

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
)

// following is a follower that can be stopped and started again.
type following struct {
	w    *world
	name string
	cfg  follower.Config

	mu  sync.Mutex // protects now
	now *incarnation
}

// incarnation is one life of a follower.
type incarnation struct {
	*follower.Follower
	cancel context.CancelFunc
	ended  chan struct{}
}

// kept reports whether positions outlive the follower.
func (f *following) kept() bool { return f.cfg.Published.Table != "" }

// start starts a new incarnation.
func (f *following) start() {
	ctx, cancel := context.WithCancel(context.Background())
	f.begin(ctx, cancel)
}

func (f *following) begin(ctx context.Context, cancel context.CancelFunc) {
	cfg := f.cfg
	if *logFlag {
		cfg.Logger = slog.New(slog.NewTextHandler(f.w.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})).With("follower", f.name)
	}
	made, err := follower.New(cfg)
	if err != nil {
		f.w.fail("%s: %v", f.name, err)
		return
	}
	now := &incarnation{Follower: made, cancel: cancel, ended: make(chan struct{})}
	f.mu.Lock()
	f.now = now
	f.mu.Unlock()
	go func() {
		defer close(now.ended)
		f.run(ctx, now)
	}()
}

// run runs an incarnation, and begins another where it may end: before it has
// followed anything, for what the database lacks.
func (f *following) run(ctx context.Context, now *incarnation) {
	err := now.Run(ctx)
	var unmet *follower.RequirementError
	if errors.As(err, &unmet) {
		f.w.pause(ctx, time.Second)
		if ctx.Err() == nil {
			f.begin(ctx, now.cancel)
		}
		return
	}
	if err != nil {
		f.w.fail("%s: run: %v", f.name, err)
	}
}

// stop stops the incarnation in an orderly way, and counts its late rows.
func (f *following) stop() {
	for now := (*incarnation)(nil); now != f.current(); {
		now = f.current()
		now.cancel()
		<-now.ended
	}
	for _, s := range f.w.streams {
		f.w.late(f, s)
	}
}

func (f *following) current() *incarnation {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (i *incarnation) stream(s *stream) *follower.Stream {
	found, _ := i.Stream(s.name)
	return found
}

func (f *following) label() string { return f.name }

// status of a stream in the present incarnation.
func (f *following) status(s *stream) follower.Status { return f.current().stream(s).Status() }

// positions tell a Tail of a stream through all incarnations.
type positions struct {
	of *following
	s  *stream
}

func (p positions) CurrentToken() int64 { return p.of.current().stream(p.s).CurrentToken() }

func (p positions) Epoch() string { return p.of.current().stream(p.s).Epoch() }

func (p positions) Status() follower.Status { return p.of.status(p.s) }

// WaitFor waits on in the next incarnation where one ends.
func (p positions) WaitFor(ctx context.Context, t follower.Target) error {
	for {
		now := p.of.current()
		inner, cancel := context.WithCancel(ctx)
		stop := context.AfterFunc(ctx, cancel)
		go func() {
			select {
			case <-now.ended:
				cancel()
			case <-inner.Done():
			}
		}()
		err := now.stream(p.s).WaitFor(inner, t)
		stop()
		cancel()
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.Canceled) {
			return err
		}
		f := p.of
		for f.current() == now && ctx.Err() == nil {
			f.w.pause(ctx, pollPause)
		}
	}
}

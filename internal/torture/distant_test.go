package torture

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/remote"
)

// source tells positions: a follower in this process, or one that follows the
// daemons over HTTP.
type source interface {
	label() string
	status(s *stream) follower.Status
}

// distant follows the daemons over HTTP, whichever of them answers.
type distant struct {
	*remote.Follower
	cancel context.CancelFunc
	ended  chan struct{}
}

// addDistant follows the daemons, where there are any.
func (w *world) addDistant() {
	if len(w.daemons) == 0 {
		return
	}
	cfg := remote.Config{}
	for _, d := range w.daemons {
		cfg.URLs = append(cfg.URLs, "http://"+d.http.Address())
	}
	for _, s := range w.streams {
		cfg.Streams = append(cfg.Streams, s.name)
	}
	if *logFlag {
		cfg.Logger = slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})).With("follower", "remote")
	}
	made, err := remote.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.distant = &distant{Follower: made, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(w.distant.ended)
		if err := made.Run(ctx); err != nil {
			w.fail("remote: run: %v", err)
		}
	}()
}

func (d *distant) label() string { return "remote" }

func (d *distant) status(s *stream) follower.Status { return d.stream(s).Status() }

func (d *distant) stream(s *stream) *remote.Stream {
	found, _ := d.Stream(s.name)
	return found
}

// stop ends it; a world without daemons has none.
func (d *distant) stop() {
	if d == nil {
		return
	}
	d.cancel()
	<-d.ended
}

// sources are all that tell positions.
func (w *world) sources() []source {
	var all []source
	for _, f := range w.followers {
		all = append(all, f)
	}
	if w.distant != nil {
		all = append(all, w.distant)
	}
	return all
}

// standing says how every source sees every stream.
func (w *world) standing() string {
	var text strings.Builder
	for _, f := range w.sources() {
		for _, s := range w.streams {
			fmt.Fprintf(&text, "%s: %+v\n", f.label(), f.status(s))
		}
	}
	return text.String()
}

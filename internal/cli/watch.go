package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark-pg/tidemark/internal/client"
	"github.com/tidemark-pg/tidemark/internal/logging"
)

const (
	// redraw spaces two pictures: a terminal shows no more.
	redraw = 100 * time.Millisecond
	// refresh is how often the picture is drawn where nothing moves: ages grow.
	refresh = time.Second
	// again is how long a daemon that has gone is left alone.
	again = time.Second
)

func watchCommand(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use: "watch", Short: "show the streams of a running daemon as they move", Args: exactly(),
		Long: "watch shows a live table on a terminal, and elsewhere a line for each move.\nIt ends at SIGINT or SIGTERM.",
	}
	daemon := remoteFlags(cmd, sys)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := daemon.client()
		if err != nil {
			return err
		}
		// The first answer tells whether there is a daemon at all; one that
		// goes later comes back.
		if _, err := c.Streams(cmd.Context()); err != nil {
			return finished(err)
		}
		w := &watcher{client: c, out: sys.Stdout}
		if logging.IsTerminal(sys.Stdout) {
			return finished(w.picture(cmd.Context()))
		}
		return finished(w.lines(cmd.Context()))
	}
	return cmd
}

// finished takes an end by a signal for what it is: all was well.
func finished(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// watcher shows one daemon until its context ends.
type watcher struct {
	client *client.Client
	out    io.Writer
}

// lines prints a line for each event.
func (w *watcher) lines(ctx context.Context) error {
	said := ""
	for {
		var failed error
		err := w.client.Events(ctx, func(e client.Event) {
			said = ""
			failed = errors.Join(failed, w.line(e))
		})
		if err := errors.Join(failed, ctx.Err()); err != nil {
			return err
		}
		if text := oneLine(err); text != said {
			said = text
			if _, err := fmt.Fprintln(w.out, printable(said)); err != nil {
				return err
			}
		}
		pause(ctx, again)
	}
}

func (w *watcher) line(e client.Event) error {
	text := fmt.Sprintf("%s %s", e.Stream, e.State)
	switch {
	case e.Position != nil:
		text = fmt.Sprintf("%s position %d", e.Stream, *e.Position)
	case e.Reason != "":
		text += ": " + e.Reason
	}
	_, err := fmt.Fprintln(w.out, printable(text))
	return err
}

// picture draws the table anew after each event, and once a second.
func (w *watcher) picture(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	moved := make(chan struct{}, 1)
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		w.listen(ctx, moved)
	}()
	defer func() { cancel(); <-listening }()
	if _, err := io.WriteString(w.out, "\x1b[2J"); err != nil { // what was there before
		return err
	}
	for {
		if err := w.draw(ctx); err != nil {
			return err
		}
		pause(ctx, redraw)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
		case <-time.After(refresh):
		}
	}
}

// listen tells of every event; a daemon that has gone is waited for.
func (w *watcher) listen(ctx context.Context, moved chan<- struct{}) {
	for ctx.Err() == nil {
		// Why it ended the next picture shows, which asks the daemon too.
		_ = w.client.Events(ctx, func(client.Event) {
			select {
			case moved <- struct{}{}:
			default:
			}
		})
		pause(ctx, again)
	}
}

// draw draws the table, or why there is none.
func (w *watcher) draw(ctx context.Context) error {
	streams, err := w.client.Streams(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	now := time.Now()
	text := table(streams, now)
	if err != nil {
		text = printable(oneLine(err)) + "\n"
	}
	// Home, the picture, and away with what is left of the one before.
	const home, clearToEnd, clearBelow = "\x1b[H", "\x1b[K\n", "\x1b[J"
	text = strings.ReplaceAll(now.Format(time.TimeOnly)+"\n\n"+text, "\n", clearToEnd)
	_, err = io.WriteString(w.out, home+text+clearBelow)
	return err
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark-pg/tidemark/internal/client"
	"github.com/tidemark-pg/tidemark/internal/logging"
)

// again is how long a daemon that has gone is left alone.
const again = time.Second

func watchCommand(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use: "watch", Short: "show the streams of a running daemon as they move", Args: exactly(),
		Long: "watch shows on a terminal how the streams move, what holds them back, and what is\n" +
			"wrong with which slot; elsewhere it prints a line for each move. It ends at\n" +
			"SIGINT or SIGTERM.",
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
		if logging.IsTerminal(sys.Stdout) {
			return finished(newScreen(c, sys.Stdout).run(cmd.Context()))
		}
		w := &watcher{client: c, out: sys.Stdout}
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

// watcher prints what one daemon tells, until its context ends.
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

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

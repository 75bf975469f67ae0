package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark-pg/tidemark/internal/client"
)

func waitCommand(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use: "wait STREAM POSITION", Short: "block until a position is reached", Args: exactly("STREAM", "POSITION"),
		Long: "wait blocks until every row of the stream up to the position is committed and\n" +
			"visible. It ends with 0 where that is so, with 3 after the timeout, and with 1\n" +
			"where it cannot be known. A position of a descending stream is negative: write\n" +
			"tidemark wait STREAM -- -5.",
	}
	daemon := remoteFlags(cmd, sys)
	timeout := cmd.Flags().Duration("timeout", 30*time.Second, "how long to wait")
	writer := cmd.Flags().String("writer", "", "wait for the rows of this `WRITER` only")
	epoch := cmd.Flags().String("epoch", "", "the `EPOCH` that the position belongs to; another one ends the wait")
	cmd.SetFlagErrorFunc(negative)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		position, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return usage("POSITION is %q: write a 64-bit integer", args[1])
		}
		if *timeout < 0 {
			return usage("--timeout is %s: write a duration such as 30s", *timeout)
		}
		c, err := daemon.client()
		if err != nil {
			return err
		}
		target := client.Target{Stream: args[0], Position: position, Epoch: *epoch}
		if cmd.Flags().Changed("writer") {
			target.Writer = writer // "" is a writer too
		}
		return wait(cmd.Context(), c, target, *timeout)
	}
	return cmd
}

// negative explains a position that was taken for a flag.
func negative(cmd *cobra.Command, err error) error {
	return usage("%w: a negative position is written after two dashes, as in tidemark wait STREAM -- -5; %s --help lists the flags",
		err, cmd.CommandPath())
}

func wait(ctx context.Context, c *client.Client, target client.Target, timeout time.Duration) error {
	now, reached, err := c.Wait(ctx, target, timeout)
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("interrupted before stream %q had reached %d", target.Stream, target.Position)
	case err != nil:
		return fmt.Errorf("wait for %d of stream %q: %w", target.Position, target.Stream, err)
	case reached:
		return nil
	}
	return coded{fmt.Errorf("stream %q has not reached %d within %s: %s", target.Stream, target.Position, timeout, standing(now)), codeTimedOut}
}

// standing says where a stream stands and why it goes no further.
func standing(s client.Stream) string {
	text := fmt.Sprintf("it is %s at %s", s.State, number(s.Position))
	if why := notes(s, time.Now()); len(why) > 0 {
		return text + ", " + strings.Join(why, ", ")
	}
	if s.Allocated != nil {
		text += fmt.Sprintf(", and %s is the newest id there is", number(s.Allocated))
	}
	return text
}

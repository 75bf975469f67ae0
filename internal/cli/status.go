package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark-pg/tidemark/internal/client"
)

func statusCommand(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use: "status", Short: "show the streams of a running daemon", Args: exactly(),
	}
	daemon := remoteFlags(cmd, sys)
	asJSON := cmd.Flags().Bool("json", false, "print JSON, as /v1/streams answers")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := daemon.client()
		if err != nil {
			return err
		}
		if *asJSON {
			body, err := c.StreamsJSON(cmd.Context())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(sys.Stdout, "%s\n", body)
			return err
		}
		streams, err := c.Streams(cmd.Context())
		if err != nil {
			return err
		}
		_, err = io.WriteString(sys.Stdout, table(streams, time.Now()))
		return err
	}
	return cmd
}

// table shows streams to a person: a row each, and below it what holds the
// position back and what is wrong.
func table(streams []client.Stream, now time.Time) string {
	g := newGrid("STREAM", "STATE", "POSITION", "ALLOCATED", "BEHIND")
	for _, s := range streams {
		g.row(notes(s, now), s.Name, string(s.State), number(s.Position), number(s.Allocated), behind(s))
	}
	return g.String()
}

// notes are the lines below a stream's row.
func notes(s client.Stream, now time.Time) []string {
	var lines []string
	if s.LateRows > 0 {
		lines = append(lines, fmt.Sprintf("LATE ROWS: %d came in below a position already published, so readers have missed them: the daemon's log names each", s.LateRows))
	}
	if s.Reason != "" {
		lines = append(lines, "reason: "+s.Reason)
	}
	for _, h := range s.HeldBy {
		lines = append(lines, "held by "+holderWords(h, now))
	}
	return lines
}

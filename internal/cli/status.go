package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
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
	var rows strings.Builder
	w := tabwriter.NewWriter(&rows, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "STREAM\tSTATE\tPOSITION\tALLOCATED\tBEHIND") // into memory
	for _, s := range streams {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", printable(s.Name), printable(string(s.State)),
			number(s.Position), number(s.Allocated), behind(s))
	}
	_ = w.Flush()
	header, rest, _ := strings.Cut(rows.String(), "\n")
	var b strings.Builder
	b.WriteString(header + "\n")
	for i, row := range strings.Split(strings.TrimSuffix(rest, "\n"), "\n") {
		if i >= len(streams) {
			break
		}
		b.WriteString(row + "\n")
		for _, note := range notes(streams[i], now) {
			b.WriteString("    " + printable(note) + "\n")
		}
	}
	return b.String()
}

// notes are the lines below a stream's row.
func notes(s client.Stream, now time.Time) []string {
	var lines []string
	if s.Reason != "" {
		lines = append(lines, "reason: "+s.Reason)
	}
	for _, h := range s.HeldBy {
		lines = append(lines, "held by "+holderWords(h, now))
	}
	return lines
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/tidemark-pg/tidemark/internal/daemon"
	"github.com/tidemark-pg/tidemark/internal/tailing"
)

// Exit codes.
const (
	codeDone     = 0
	codeFailed   = 1
	codeUsage    = 2
	codeTimedOut = 3
)

// coded is an error with an exit code of its own.
type coded struct {
	error
	code int
}

func (e coded) Unwrap() error { return e.error }

// usage is an error about how the program was called, or configured.
func usage(format string, args ...any) error {
	return coded{fmt.Errorf(format, args...), codeUsage}
}

// code is the exit code for an error that is not nil.
func code(err error) int {
	var c coded
	var unfit *daemon.ConfigError
	var misused *tailing.UsageError
	switch {
	case errors.As(err, &c):
		return c.code
	case errors.As(err, &unfit), errors.As(err, &misused):
		return codeUsage
	}
	return codeFailed
}

// line is what a user sees of an error: the command, what went wrong and what
// to do, on one line.
func line(cmd *cobra.Command, err error) string {
	text := oneLine(err)
	if errors.Is(err, context.Canceled) {
		text = "interrupted before it was done"
	}
	if do := advice(err); do != "" {
		text += ": " + do
	}
	return printable(cmd.CommandPath() + ": " + text)
}

// oneLine joins the lines of an error. The driver tells each attempt to connect
// on a line of its own, and many of them are the same.
func oneLine(err error) string {
	var b strings.Builder
	var seen []string
	for text := range strings.Lines(err.Error()) {
		text = strings.TrimSpace(text)
		if text == "" || slices.Contains(seen, text) {
			continue
		}
		if seen = append(seen, text); b.Len() > 0 {
			b.WriteString(separator(b.String()))
		}
		b.WriteString(text)
	}
	return b.String()
}

func separator(before string) string {
	if strings.HasSuffix(before, ":") {
		return " "
	}
	return "; "
}

// printable keeps what others have chosen, such as an application_name, from
// moving the cursor or ending the line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, s)
}

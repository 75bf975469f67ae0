package demo

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
)

// screen prints the lines, the same to a terminal and to a pipe. It keeps the
// first error.
type screen struct {
	out io.Writer
	err error
}

func (s *screen) printf(format string, args ...any) {
	if s.err == nil {
		_, s.err = fmt.Fprintf(s.out, format, args...)
	}
}

func (s *screen) begin(d time.Duration) {
	var names []string
	for _, w := range cast() {
		names = append(names, w.name)
	}
	s.printf("%d writers (%s) write to two tables for %s.\n", len(names), strings.Join(names, ", "), d)
	s.printf("A worker reads up to the position; beside it a naive reader asks for what is newer than the last id it saw.\n\n")
	s.printf("%5s %10s %10s %10s %12s  %s\n", "time", "position", "allocated", "rows read", "naive read", "held by")
}

// line shows one moment.
func (s *screen) line(since time.Duration, st follower.Status, read, naive int) {
	s.printf("%5s %10d %10d %10d %12d  %s\n",
		since.Round(time.Second), st.Position, st.Allocated, read, naive, holders(st.HeldBy))
}

// holders names who holds the position back: the one that has for longest, and
// how many others.
func holders(by []follower.Holder) string {
	if len(by) == 0 {
		return "-"
	}
	text := "somebody"
	switch h := by[0]; {
	case h.GID != nil:
		text = fmt.Sprintf("prepared transaction %q", *h.GID)
	case h.ApplicationName != nil:
		text = *h.ApplicationName
	}
	if by[0].State != nil && by[0].GID == nil {
		text += " (" + *by[0].State + ")"
	}
	if len(by) > 1 {
		text += fmt.Sprintf(" and %d more", len(by)-1)
	}
	return text
}

func (s *screen) verdict(v verdict) {
	s.printf("\nFor contrast: the naive reader never saw %d of %d rows.\n", v.naiveMissed, v.there)
	word := "verdict"
	if v.err() != nil {
		word = "FAILED"
	}
	s.printf("%s: rows read %d, rows missed %d\n", word, v.read, v.missed)
}

package cli

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestFit(t *testing.T) {
	t.Parallel()
	const text = "STREAM  STATE\nevents  following  ▁▁▂▂▃▃▄▄▅▅\n" +
		"    reason: one two three four five six\n\nlast\n"
	for _, c := range []struct {
		name          string
		columns, rows int
		want          string
	}{
		{"unknown", 0, 0, text},
		{"room for all", 80, 6, text},
		{
			"narrow", 24, 20, "STREAM  STATE\nevents  following  ▁▁▂▂…\n" +
				"    reason: one two\n      three four five\n      six\n\nlast\n",
		},
		{"one row too low", 80, 5, "STREAM  STATE\nevents  following  ▁▁▂▂▃▃▄▄▅▅\n    reason: one two three four five six\n… and 2 more lines: make the window higher\n"},
		{"hardly a terminal", 5, 1, "… an…\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, fit(text, c.columns, c.rows)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever the picture and the terminal, it never scrolls.
func TestFitAlwaysFits(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a row  of  cells\n    a sentence with averyverylongwordthatfitsnowhere at all\n\n", 9)
	for columns := 1; columns < 90; columns++ {
		for rows := 1; rows < 60; rows++ {
			got := fit(text, columns, rows)
			if n := strings.Count(got, "\n"); n > max(rows-1, 1) {
				t.Fatalf("%d lines in %d rows", n, rows)
			}
			for line := range strings.Lines(got) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > columns {
					t.Fatalf("%d characters in %d columns: %q", n, columns, line)
				}
			}
		}
	}
}

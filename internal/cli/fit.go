package cli

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// indent begins the lines below a row, which are sentences and may be wrapped.
const indent = "    "

// fit makes a picture fit a terminal: what a line has too much is cut from a
// row and wrapped in a sentence, and what does not fit below is left out, which
// the last line says. A size of 0 is not known.
func fit(text string, columns, rows int) string {
	if columns <= 0 || rows <= 0 {
		return text
	}
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, narrow(strings.TrimSuffix(line, "\n"), columns)...)
	}
	// The cursor stands below the last line.
	if room := max(rows-1, 1); len(lines) > room {
		more := fmt.Sprintf("… and %d more lines: make the window higher", len(lines)-room+1)
		lines = append(lines[:room-1], cut(more, columns))
	}
	return strings.Join(lines, "\n") + "\n"
}

// narrow is a line as lines that are no wider than the terminal.
func narrow(line string, columns int) []string {
	if utf8.RuneCountInString(line) <= columns {
		return []string{line}
	}
	sentence := !strings.Contains(strings.TrimPrefix(line, indent), "  ")
	if columns < 20 || !sentence {
		return []string{cut(line, columns)}
	}
	var lines []string
	from := ""
	if strings.HasPrefix(line, indent) {
		from = indent
	}
	now := ""
	for word := range strings.FieldsSeq(line) {
		switch {
		case now == "":
			now = from + word
		case utf8.RuneCountInString(now)+1+utf8.RuneCountInString(word) <= columns:
			now += " " + word
		default:
			lines = append(lines, cut(now, columns))
			now = from + "  " + word
		}
	}
	return append(lines, cut(now, columns))
}

// cut leaves out what a line has beyond so many columns.
func cut(line string, columns int) string {
	if utf8.RuneCountInString(line) <= columns {
		return line
	}
	return string([]rune(line)[:columns-1]) + "…"
}

package cli

import (
	"strings"
	"text/tabwriter"
)

// grid is a table for a terminal: rows of aligned cells, and below each row
// notes as long as they like.
type grid struct {
	cells strings.Builder
	align *tabwriter.Writer
	notes [][]string
}

func newGrid(header ...string) *grid {
	g := &grid{}
	g.align = tabwriter.NewWriter(&g.cells, 0, 0, 2, ' ', 0)
	g.line(header)
	return g
}

func (g *grid) line(cells []string) {
	for i, c := range cells {
		cells[i] = printable(c)
	}
	_, _ = g.align.Write([]byte(strings.Join(cells, "\t") + "\n")) // into memory
}

// row adds a row. What other people named may stand in it: nothing in it can
// move the cursor.
func (g *grid) row(notes []string, cells ...string) {
	g.line(cells)
	g.notes = append(g.notes, notes)
}

// String is the table, each line ended.
func (g *grid) String() string {
	_ = g.align.Flush() // into memory
	header, rest, _ := strings.Cut(g.cells.String(), "\n")
	var b strings.Builder
	b.WriteString(header + "\n")
	for _, notes := range g.notes {
		var row string
		row, rest, _ = strings.Cut(rest, "\n")
		b.WriteString(row + "\n")
		for _, note := range notes {
			b.WriteString("    " + printable(note) + "\n")
		}
	}
	return b.String()
}

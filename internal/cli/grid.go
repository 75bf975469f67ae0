package cli

import (
	"math"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// grid is a table for a terminal: rows of aligned cells, and below each row
// notes as long as they like.
type grid struct {
	lines [][]string // the header and the rows
	notes [][]string

	// columns is how wide the terminal is: the names in front are cut so that
	// the numbers behind them are seen. 0: as wide as need be.
	columns int
}

const (
	apartCells = 2  // between two columns
	leastName  = 12 // what is left of a name on the narrowest terminal
)

func newGrid(header ...string) *grid {
	g := &grid{}
	g.line(header)
	return g
}

func (g *grid) line(cells []string) {
	for i, c := range cells {
		cells[i] = printable(c)
	}
	g.lines = append(g.lines, cells)
}

// row adds a row. What other people named may stand in it: nothing in it can
// move the cursor.
func (g *grid) row(notes []string, cells ...string) {
	g.line(cells)
	g.notes = append(g.notes, notes)
}

// String is the table, each line ended.
func (g *grid) String() string {
	var cells strings.Builder
	align := tabwriter.NewWriter(&cells, 0, 0, apartCells, ' ', 0)
	name := g.nameWidth()
	for _, line := range g.lines {
		line = append([]string{cut(line[0], name)}, line[1:]...)
		_, _ = align.Write([]byte(strings.Join(line, "\t") + "\n"))
	}
	_ = align.Flush() // into memory
	header, rest, _ := strings.Cut(cells.String(), "\n")
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

// nameWidth is what the other columns leave to the first.
func (g *grid) nameWidth() int {
	if g.columns <= 0 {
		return math.MaxInt
	}
	widths := make([]int, len(g.lines[0]))
	for _, line := range g.lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	room := g.columns
	for _, w := range widths[1:] {
		room -= apartCells + w
	}
	return max(room, leastName)
}

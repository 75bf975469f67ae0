package plot

import (
	"fmt"
	"strings"
)

// Point is one value of a line, with its spread.
type Point struct {
	// X is how much work there was, Y what it cost, Low and High its spread.
	X, Y, Low, High float64
}

// Line is one series.
type Line struct {
	// Name in the legend.
	Name string
	// Points in the order of X.
	Points []Point
}

// Axes of a line chart.
type Axes struct {
	// X and Y are their titles, with units.
	X, Y string
	// LogY draws Y on a logarithmic scale; X always is.
	LogY bool
}

// Measures of a line chart, in pixels.
const (
	lineWidth, lineHeight = 760, 340
	lineLeft, lineRight   = 64, 20
	lineTop, lineBottom   = 70, 46
)

// Lines draws series over a logarithmic X.
func Lines(title string, axes Axes, lines []Line) []byte {
	c := &canvas{width: lineWidth, height: lineHeight}
	var xs, ys []float64
	for _, l := range lines {
		for _, p := range l.Points {
			xs, ys = append(xs, p.X), append(ys, p.Y, p.Low, p.High)
		}
	}
	x, y := spanning(xs, true), spanning(ys, axes.LogY)
	x.from, x.to = lineLeft, lineWidth-lineRight
	y.from, y.to = lineHeight-lineBottom, lineTop
	c.text(10, 22, "start", "title", title)
	c.frame(x, y, axes)
	at := float64(lineLeft)
	for i, l := range lines {
		c.series(x, y, colours[i%len(colours)], l)
		at = c.legend(at, colours[i%len(colours)], l.Name)
	}
	return c.svg(title, inWords(axes, lines))
}

// frame draws the grid and the axes' words.
func (c *canvas) frame(x, y scale, axes Axes) {
	for _, t := range y.ticks() {
		c.line(x.from, y.at(t), x.to, y.at(t), "grid")
		c.text(x.from-8, y.at(t)+4, "end", "soft", Short(t))
	}
	for _, t := range x.ticks() {
		c.line(x.at(t), y.from, x.at(t), y.from+5, "grid")
		c.text(x.at(t), y.from+18, "middle", "soft", Short(t))
	}
	c.text((x.from+x.to)/2, lineHeight-8, "middle", "soft", axes.X)
	c.text(x.from, lineTop-12, "end", "soft", axes.Y)
}

// letter is about how wide a letter of the legend is.
const letter = 6.6

func (c *canvas) legend(at float64, colour, name string) (next float64) {
	const y = 44
	fmt.Fprintf(&c.body, `<rect x="%.1f" y="%d" width="12" height="4" rx="2" fill="%s"/>`+"\n", at, y-6, colour)
	c.text(at+18, y, "start", "", name)
	return at + 40 + letter*float64(len(name))
}

func (c *canvas) series(x, y scale, colour string, l Line) {
	var path strings.Builder
	for i, p := range l.Points {
		verb := "L"
		if i == 0 {
			verb = "M"
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", verb, x.at(p.X), y.at(p.Y))
	}
	fmt.Fprintf(&c.body, `<path d="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", &path, colour)
	for _, p := range l.Points {
		fmt.Fprintf(&c.body, `<path d="M%.1f %.1fV%.1f" stroke="%s"/><circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n",
			x.at(p.X), y.at(p.Low), y.at(p.High), colour, x.at(p.X), y.at(p.Y), colour)
	}
}

// inWords says what lines show.
func inWords(axes Axes, lines []Line) string {
	var parts []string
	for _, l := range lines {
		var points []string
		for _, p := range l.Points {
			points = append(points, Short(p.X)+": "+Short(p.Y))
		}
		parts = append(parts, l.Name+" "+strings.Join(points, ", "))
	}
	return axes.Y + " by " + axes.X + ". " + strings.Join(parts, "; ") + "."
}

package plot

import (
	"fmt"
	"strings"
)

// Bar is one value with its spread.
type Bar struct {
	// Name beside the bar.
	Name string
	// Value is how long it is; Low and High are the ends of its whisker.
	Value, Low, High float64
}

// Measures of a bar chart, in pixels.
const (
	barWidth   = 760
	barNames   = 290
	barRow     = 26
	barTop     = 44
	barValues  = 90
	barBottom  = 34
	barThick   = 16
	whiskerEnd = 4
)

// Bars draws one bar below the other. unit is told with the title; log draws
// on a logarithmic scale, where a bar's length means little and its end all.
func Bars(title, unit string, log bool, bars []Bar) []byte {
	c := &canvas{width: barWidth, height: float64(barTop + barRow*len(bars) + barBottom)}
	var all []float64
	for _, b := range bars {
		all = append(all, b.Value, b.Low, b.High)
	}
	s := spanning(all, log)
	s.from, s.to = barNames, barWidth-barValues
	c.text(10, 22, "start", "title", title)
	bottom := c.height - barBottom
	for _, t := range s.ticks() {
		c.line(s.at(t), barTop-6, s.at(t), bottom, "grid")
		c.text(s.at(t), bottom+16, "middle", "soft", Short(t))
	}
	c.text((s.from+s.to)/2, bottom+30, "middle", "soft", unit)
	for i, b := range bars {
		c.bar(s, float64(barTop+i*barRow), i, b)
	}
	return c.svg(title, describe(unit, bars))
}

func (c *canvas) bar(s scale, top float64, i int, b Bar) {
	middle := top + barThick/2
	colour := colours[len(colours)-1]
	if i == 0 {
		colour = colours[0]
	}
	c.text(barNames-10, middle+4, "end", "", b.Name)
	fmt.Fprintf(&c.body, `<rect x="%.1f" y="%.1f" width="%.1f" height="%d" rx="2" fill="%s"/>`+"\n",
		s.from, top, max(1, s.at(b.Value)-s.from), barThick, colour)
	if b.High > b.Low {
		c.line(s.at(b.Low), middle, s.at(b.High), middle, "whisker")
		for _, end := range []float64{b.Low, b.High} {
			c.line(s.at(end), middle-whiskerEnd, s.at(end), middle+whiskerEnd, "whisker")
		}
	}
	c.text(max(s.at(b.Value), s.at(b.High))+8, middle+4, "start", "", Short(b.Value))
}

// describe says in words what bars show.
func describe(unit string, bars []Bar) string {
	var parts []string
	for _, b := range bars {
		parts = append(parts, fmt.Sprintf("%s %s (%s to %s)", b.Name, Short(b.Value), Short(b.Low), Short(b.High)))
	}
	return "Median and quartiles in " + unit + ": " + strings.Join(parts, "; ") + "."
}

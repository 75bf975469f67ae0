package report

import (
	"github.com/tidemark-pg/tidemark/internal/bench/contest"
	"github.com/tidemark-pg/tidemark/internal/bench/plot"
)

// picture draws a comparison, nil where it is not to be drawn.
func picture(o contest.Outcome) []byte {
	chart := o.Comparison.Chart
	if chart.Metric == "" {
		return nil
	}
	unit := unitOf(o.Comparison.Metrics, chart.Metric)
	if chart.Axis != "" {
		axes := plot.Axes{X: chart.Axis, Y: unit, LogY: chart.Log}
		return plot.Lines(o.Comparison.Title, axes, linesOf(o, chart.Metric))
	}
	var bars []plot.Bar
	for _, runs := range o.Runs {
		if s := runs.Summary(chart.Metric); s.N > 0 {
			bars = append(bars, plot.Bar{Name: runs.Contender, Value: s.Median, Low: s.Low, High: s.High})
		}
	}
	return plot.Bars(o.Comparison.Title, chart.Metric+", "+unit, chart.Log, bars)
}

func unitOf(metrics []contest.Metric, name string) string {
	for _, m := range metrics {
		if m.Name == name {
			return m.Unit
		}
	}
	return ""
}

// linesOf makes one line of the runs of each name.
func linesOf(o contest.Outcome, metric string) []plot.Line {
	var lines []plot.Line
	index := map[string]int{}
	for _, runs := range o.Runs {
		s := runs.Summary(metric)
		if s.N == 0 {
			continue
		}
		i, ok := index[runs.Contender]
		if !ok {
			i = len(lines)
			index[runs.Contender] = i
			lines = append(lines, plot.Line{Name: runs.Contender})
		}
		lines[i].Points = append(lines[i].Points, plot.Point{X: runs.X, Y: s.Median, Low: s.Low, High: s.High})
	}
	return lines
}

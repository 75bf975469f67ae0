package report

import (
	"fmt"
	"strings"

	"github.com/tidemark-pg/tidemark/internal/bench/contest"
	"github.com/tidemark-pg/tidemark/internal/bench/plot"
)

// markdown is results.md: the table of targets, then each comparison.
func (r Report) markdown() string {
	var b strings.Builder
	b.WriteString("# How fast\n\nWritten by `make bench`.\n\n")
	b.WriteString(r.table())
	for _, o := range r.Outcomes {
		section(&b, o)
	}
	return b.String()
}

// table is the machine, and each target with what became of it.
func (r Report) table() string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "%s, %d cores, %s, Go %s, PostgreSQL %s; scale %g.\n",
		m.Processor, m.Cores, m.System, m.Go, m.PostgreSQL, r.Scale)
	b.WriteString("Contenders take turns; a ratio is taken within each round. Medians, with the quartiles in brackets.\n\n")
	b.WriteString("| # | what | target | measured | |\n|---|---|---|---|---|\n")
	for _, o := range r.Outcomes {
		for _, v := range o.Verdicts() {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n",
				o.Comparison.Key, o.Comparison.Title, v.Target.Text, spread(v.Value), mark(v.Met))
		}
	}
	return b.String()
}

func mark(met bool) string {
	if met {
		return "met"
	}
	return "**missed**"
}

// spread writes a median and its quartiles.
func spread(s contest.Summary) string {
	switch {
	case s.N == 0:
		return ""
	case s.Low == s.High:
		return plot.Short(s.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", plot.Short(s.Median), plot.Short(s.Low), plot.Short(s.High))
}

func section(b *strings.Builder, o contest.Outcome) {
	c := o.Comparison
	fmt.Fprintf(b, "\n## %s · %s\n\n%s\n\n", c.Key, c.Title, c.Method)
	head, rule := "| ", "|---"
	if c.Chart.Axis != "" {
		head, rule = "| | "+c.Chart.Axis, "|---|---"
	}
	for _, m := range c.Metrics {
		head += " | " + strings.TrimSuffix(m.Name+", "+m.Unit, ", ")
		rule += "|---"
	}
	fmt.Fprintf(b, "%s |\n%s|\n", head, rule)
	for _, runs := range o.Runs {
		fmt.Fprintf(b, "| %s", runs.Contender)
		if c.Chart.Axis != "" {
			fmt.Fprintf(b, " | %s", plot.Short(runs.X))
		}
		for _, m := range c.Metrics {
			fmt.Fprintf(b, " | %s", spread(runs.Summary(m.Name)))
		}
		b.WriteString(" |\n")
	}
	for _, note := range c.Notes {
		fmt.Fprintf(b, "\n- %s", note)
	}
	if len(c.Notes) > 0 {
		b.WriteString("\n")
	}
}

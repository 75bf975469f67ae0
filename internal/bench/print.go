package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/tidemark-pg/tidemark/internal/bench/contest"
	"github.com/tidemark-pg/tidemark/internal/bench/plot"
)

// line shows one result.
func line(metrics []contest.Metric, r contest.Result) string {
	var parts []string
	for _, m := range metrics {
		if v, ok := r[m.Name]; ok {
			parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s %s %s", m.Name, plot.Short(v), m.Unit)))
		}
	}
	return strings.Join(parts, " · ")
}

// verdicts shows what became of the targets.
func verdicts(out io.Writer, o contest.Outcome) {
	for _, v := range o.Verdicts() {
		word := "met"
		if !v.Met {
			word = "MISSED"
		}
		fmt.Fprintf(out, "  %-6s %s: %s\n", word, v.Target.Text, plot.Short(v.Value.Median))
	}
}

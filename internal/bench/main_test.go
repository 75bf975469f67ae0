package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/tidemark-pg/tidemark/internal/bench/contest"
	"github.com/tidemark-pg/tidemark/internal/bench/rows"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == rows.PartArgument { // the test's program is run as a part
		if err := rows.RunPart(context.Background(), os.Args[2:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Everything runs once, with next to no work: so that it cannot rot.
func TestEveryComparisonRuns(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-scale", "0.001", "-out", dir}, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "results.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range rows.All() {
		if !bytes.Contains(text, []byte("\n## "+c.Key+" · ")) {
			t.Errorf("comparison %s is not in results.md", c.Key)
		}
		picture := filepath.Join(dir, "bench-"+c.Key+".svg")
		if _, err := os.Stat(picture); (err == nil) != (c.Chart.Metric != "") {
			t.Errorf("picture of comparison %s: %v", c.Key, err)
		}
	}
	if t.Failed() {
		t.Logf("%s", text)
	}
}

// A target that names what nobody measures would pass over in silence.
func TestTargetsNameWhatIsMeasured(t *testing.T) {
	for _, c := range rows.All() {
		for _, target := range c.Targets {
			if !measures(c, target.Metric) || target.OverMetric != "" && !measures(c, target.OverMetric) {
				t.Errorf("comparison %s, target %q: no such metric", c.Key, target.Text)
			}
		}
		if c.Chart.Metric != "" && !measures(c, c.Chart.Metric) {
			t.Errorf("comparison %s draws %q, which nobody measures", c.Key, c.Chart.Metric)
		}
	}
}

func measures(c contest.Comparison, metric string) bool {
	for _, m := range c.Metrics {
		if m.Name == metric {
			return true
		}
	}
	return false
}

func TestChoosing(t *testing.T) {
	all := rows.All()
	for only, want := range map[string]int{"": len(all), "2, 5": 2, "waiters": 1} {
		if chosen, err := choose(all, only); err != nil || len(chosen) != want {
			t.Errorf("-only %q: %d comparisons, %v", only, len(chosen), err)
		}
	}
	if _, err := choose(all, "2,12"); err == nil {
		t.Error("-only 2,12: no error")
	}
}

package report_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemark-pg/tidemark/internal/bench/contest"
	"github.com/tidemark-pg/tidemark/internal/bench/report"
)

func sample() report.Report {
	result := contest.Result{"time": 5}
	return report.Report{Scale: 1, Machine: report.Machine{Processor: "abacus", Cores: 2}, Outcomes: []contest.Outcome{{
		Comparison: contest.Comparison{
			Key: "1", Title: "Count", Method: "By hand.", Notes: []string{"Slowly."},
			Metrics: []contest.Metric{{Name: "time", Unit: "ms"}}, Chart: contest.Chart{Metric: "time"},
			Targets: []contest.Target{
				{Text: "≤ 5 ms", Of: "us", Metric: "time", AtMost: 5},
				{Text: "≤ 4 ms", Of: "us", Metric: "time", AtMost: 4},
			},
		},
		Runs: []contest.Runs{{Contender: "us", Results: []contest.Result{result, result}}},
	}}}
}

func TestReadmeKeepsWhatIsAroundTheTable(t *testing.T) {
	name := filepath.Join(t.TempDir(), "README.md")
	const begin, end = "<!-- bench: written by `make bench` -->\n", "<!-- bench: end -->\n"
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("before\n" + begin + "old\n" + end + "after\n")
	for range 2 {
		if err := sample().UpdateReadme(name); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got := string(text)
		if !strings.HasPrefix(got, "before\n"+begin+"abacus, 2 cores") || !strings.HasSuffix(got, end+"after\n") ||
			strings.Contains(got, "old") || strings.Count(got, "≤ 5 ms | 5 | met") != 1 || !strings.Contains(got, "≤ 4 ms | 5 | **missed**") {
			t.Fatalf("got\n%s", got)
		}
	}
	write("no place")
	if err := sample().UpdateReadme(name); !errors.Is(err, report.ErrNoPlace) {
		t.Errorf("without a place: %v", err)
	}
}

func TestFilesAreWritten(t *testing.T) {
	dir := t.TempDir()
	images := filepath.Join(dir, "images")
	if err := sample().Write(dir, images); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		filepath.Join(dir, "results.md"):     "\n## 1 · Count\n\nBy hand.\n\n|  | time, ms |\n|---|---|\n| us | 5 |\n\n- Slowly.\n",
		filepath.Join(dir, "results.json"):   `"met": false`,
		filepath.Join(images, "bench-1.svg"): "<title id=\"t\">Count</title>",
	} {
		if text, err := os.ReadFile(name); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v: %s", filepath.Base(name), err, text)
		}
	}
}

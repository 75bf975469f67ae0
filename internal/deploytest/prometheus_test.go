package deploytest_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// rules is a file of rules as Prometheus reads it; other fields are refused.
type rules struct {
	Groups []struct {
		Name     string `yaml:"name"`
		Interval string `yaml:"interval"`
		Rules    []rule `yaml:"rules"`
	} `yaml:"groups"`
}

type rule struct {
	Alert       string            `yaml:"alert"`
	Record      string            `yaml:"record"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// strictly reads YAML into a value whose type knows every field.
func strictly(t *testing.T, name string, into any) {
	t.Helper()
	if err := yaml.UnmarshalWithOptions([]byte(read(t, name)), into, yaml.Strict()); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// all are the rules of a file.
func all(t *testing.T, name string) (found []rule) {
	t.Helper()
	var file rules
	strictly(t, name, &file)
	for _, g := range file.Groups {
		found = append(found, g.Rules...)
	}
	return found
}

// metric is a metric's name, with its type where a golden scrape tells it.
type metric struct{ kind string }

// slotMetrics are those of slots, which a scrape without a server lacks.
func slotMetrics() []string {
	return []string{
		"tidemark_slot_retained_bytes", "tidemark_slot_confirmed_lag_bytes", "tidemark_slot_safe_wal_bytes",
		"tidemark_slot_active", "tidemark_slot_verdict",
	}
}

// metrics are all that the daemon has, from the scrape that internal/metrics
// is held to.
func metrics(t *testing.T) map[string]metric {
	t.Helper()
	text, err := os.ReadFile("../metrics/testdata/scrape.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]metric{"process_resident_memory_bytes": {"gauge"}, "up": {"gauge"}}
	for _, name := range slotMetrics() {
		known[name] = metric{"gauge"}
	}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\w+) (\w+)$`).FindAllStringSubmatch(string(text), -1) {
		known[m[1]] = metric{m[2]}
		if m[2] == "histogram" {
			known[m[1]+"_bucket"], known[m[1]+"_count"], known[m[1]+"_sum"] = metric{"counter"}, metric{"counter"}, metric{"counter"}
			delete(known, m[1])
		}
	}
	return known
}

// named finds the metrics that a query names: its labels and strings, ranges
// and functions are left out.
func named(query string) (names []string) {
	query = regexp.MustCompile(`"[^"]*"|\[[^]]*\]`).ReplaceAllString(query, "")
	query = regexp.MustCompile(`\{[^}]*\}|\b(by|on|without)\s*\([^)]*\)`).ReplaceAllString(query, " ")
	for _, m := range regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*(\s*\()?`).FindAllString(query, -1) {
		isWord := slices.Contains([]string{"or", "and", "unless", "by", "on", "offset", "m", "bool"}, m)
		if !strings.HasSuffix(m, "(") && !isWord {
			names = append(names, m)
		}
	}
	return names
}

// judge finds what is wrong with a query.
func judge(query string, known map[string]metric) (wrong []string) {
	names := named(query)
	if len(names) == 0 {
		wrong = append(wrong, "names no metric")
	}
	for _, name := range names {
		if _, ok := known[name]; !ok {
			wrong = append(wrong, "unknown metric "+name)
		}
	}
	for _, m := range regexp.MustCompile(`(?:rate|increase)\((\w+)`).FindAllStringSubmatch(query, -1) {
		if known[m[1]].kind != "counter" {
			wrong = append(wrong, "rate of "+m[1]+", which is no counter")
		}
	}
	return wrong
}

func TestQueriesAreJudged(t *testing.T) {
	t.Parallel()
	known := metrics(t)
	for query, want := range map[string]string{
		`sum by (stream, le) (rate(tidemark_publish_delay_seconds_bucket{stream=~"$x"}[$__rate_interval]))`: "",
		`max(tidemark_slot_verdict{verdict="lost"}) == 1 unless tidemark_slot_active offset 15m`:            "",
		`tidemark_stream_positions`:                            "unknown metric tidemark_stream_positions",
		`tidemark_publish_delay_seconds`:                       "unknown metric tidemark_publish_delay_seconds",
		`rate(tidemark_stream_position[5m])`:                   "rate of tidemark_stream_position, which is no counter",
		`vector(1)`:                                            "names no metric",
		`tidemark_fences_total / on (stream) tidemark_nothing`: "unknown metric tidemark_nothing",
	} {
		if got := strings.Join(judge(query, known), "; "); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}

// Every query of the rules names metrics that there are, and labels that they
// have; alerts tell what to do and point to a page.
func TestRulesNameMetricsThatThereAre(t *testing.T) {
	t.Parallel()
	known := metrics(t)
	for _, r := range all(t, "prometheus/rules.yaml") {
		for _, wrong := range judge(r.Expr, known) {
			t.Errorf("%s: %s", r.Record, wrong)
		}
		known[r.Record] = metric{"gauge"}
	}
	for _, r := range all(t, "prometheus/alerts.yaml") {
		for _, wrong := range judge(r.Expr, known) {
			t.Errorf("%s: %s", r.Alert, wrong)
		}
		if s := r.Labels["severity"]; s != "page" && s != "ticket" {
			t.Errorf("%s: severity %q", r.Alert, s)
		}
		for _, key := range []string{"summary", "description", "runbook"} {
			if r.Annotations[key] == "" {
				t.Errorf("%s: no %s", r.Alert, key)
			}
		}
		anchored(t, r.Alert, r.Annotations["runbook"])
	}
}

// Every alert fires in the tests of the rules.
func TestEveryAlertFiresOnce(t *testing.T) {
	t.Parallel()
	tests := read(t, "prometheus/alerts_test.yaml")
	for _, r := range all(t, "prometheus/alerts.yaml") {
		fires := strings.Contains(tests, `labels: 'ALERTS{alertname="`+r.Alert+`",alertstate="firing"`) ||
			regexp.MustCompile(`alertname: `+r.Alert+`\n\s+exp_alerts:`).MatchString(tests)
		if !fires {
			t.Errorf("%s never fires in alerts_test.yaml", r.Alert)
		}
	}
	for _, r := range all(t, "prometheus/rules.yaml") {
		if !strings.Contains(tests, "labels: '"+r.Record+"{") {
			t.Errorf("%s is not asked for in alerts_test.yaml", r.Record)
		}
	}
}

// promtool runs the tests of the rules where it is installed: make deploy-test
// installs it.
func TestPromtool(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Log("promtool is not installed: names and structure are checked without it; make deploy-test installs it")
		return
	}
	dir := t.TempDir()
	for _, name := range []string{"rules.yaml", "alerts.yaml", "alerts_test.yaml", "scrape.yaml"} {
		copied(t, "prometheus/"+name, filepath.Join(dir, name))
	}
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"check", "rules", "rules.yaml", "alerts.yaml"}, {"check", "config", "scrape.yaml"}, {"test", "rules", "alerts_test.yaml"},
	} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
	// The tests can fail: without one alert they do.
	broken := strings.Replace(read(t, "prometheus/alerts.yaml"), `{state="halted"}) == 1`, `{state="halted"}) == 2`, 1)
	overwrite(t, filepath.Join(dir, "alerts.yaml"), broken)
	cmd := exec.CommandContext(t.Context(), promtool, "test", "rules", "alerts_test.yaml")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("promtool is content with a rule that never fires:\n%s", out)
	}
}

func copied(t *testing.T, name, to string) {
	t.Helper()
	overwrite(t, to, read(t, name))
}

func overwrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// dashboard is what the test looks at of Grafana's JSON.
type dashboard struct {
	Panels []struct {
		ID          int    `json:"id"`
		Type        string `json:"type"`
		Title       string `json:"title"`
		Description string `json:"description"`
		GridPos     struct{ H, W, X, Y int }
		FieldConfig struct {
			Defaults struct {
				NoValue string `json:"noValue"`
			} `json:"defaults"`
		} `json:"fieldConfig"`
		Targets []struct {
			Expr string `json:"expr"`
		} `json:"targets"`
	} `json:"panels"`
	Templating struct {
		List []struct {
			Name  string          `json:"name"`
			Query json.RawMessage `json:"query"`
		} `json:"list"`
	} `json:"templating"`
}

// Every query of the dashboard names metrics that there are, and every metric
// of Tidemark's is on it.
func TestDashboard(t *testing.T) {
	t.Parallel()
	var d dashboard
	if err := json.Unmarshal([]byte(read(t, "prometheus/dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	known, ids, shown := metrics(t), map[int]bool{}, map[string]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %q: id %d is there twice, or it is too wide: %+v", p.Title, p.ID, p.GridPos)
		}
		ids[p.ID] = true
		if p.Type != "row" && (p.Description == "" || len(p.Targets) == 0) {
			t.Errorf("panel %q has no description or no query", p.Title)
		}
		for _, target := range p.Targets {
			if p.Type == "stat" && strings.Contains(target.Expr, "==") && p.FieldConfig.Defaults.NoValue == "" {
				t.Errorf("panel %q says \"No data\" while all is well: give it a noValue", p.Title)
			}
			for _, wrong := range judge(target.Expr, known) {
				t.Errorf("panel %q: %s", p.Title, wrong)
			}
			for _, name := range named(target.Expr) {
				shown[name] = true
			}
		}
	}
	for name := range known {
		base := strings.TrimSuffix(strings.TrimSuffix(name, "_sum"), "_count") + "_bucket"
		if strings.HasPrefix(name, "tidemark_") && !shown[name] && !shown[base] {
			t.Errorf("%s is on no panel", name)
		}
	}
	for _, v := range d.Templating.List {
		for _, m := range regexp.MustCompile(`label_values\((\w+), (\w+)\)`).FindAllStringSubmatch(string(v.Query), -1) {
			if _, ok := known[m[1]]; !ok || m[2] != v.Name {
				t.Errorf("variable %s: %s", v.Name, m[0])
			}
		}
	}
}

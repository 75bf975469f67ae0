package report

import "github.com/tidemark-pg/tidemark/internal/bench/contest"

// document is what results.json holds.
type document struct {
	Machine     Machine      `json:"machine"`
	Scale       float64      `json:"scale"`
	Comparisons []comparison `json:"comparisons"`
}

type comparison struct {
	Key        string      `json:"key"`
	Title      string      `json:"title"`
	Method     string      `json:"method"`
	Targets    []target    `json:"targets"`
	Contenders []contender `json:"contenders"`
	Notes      []string    `json:"notes,omitempty"`
}

type target struct {
	Text  string          `json:"text"`
	Value contest.Summary `json:"value"`
	Met   bool            `json:"met"`
}

type contender struct {
	Name    string                     `json:"name"`
	X       float64                    `json:"x,omitempty"`
	Metrics map[string]contest.Summary `json:"metrics"`
	Units   map[string]string          `json:"units"`
	Runs    []contest.Result           `json:"runs"`
}

func (r Report) document() document {
	d := document{Machine: r.Machine, Scale: r.Scale}
	for _, o := range r.Outcomes {
		c := comparison{Key: o.Comparison.Key, Title: o.Comparison.Title, Method: o.Comparison.Method, Notes: o.Comparison.Notes}
		for _, v := range o.Verdicts() {
			c.Targets = append(c.Targets, target{Text: v.Target.Text, Value: v.Value, Met: v.Met})
		}
		for _, runs := range o.Runs {
			c.Contenders = append(c.Contenders, contenderOf(o.Comparison.Metrics, runs))
		}
		d.Comparisons = append(d.Comparisons, c)
	}
	return d
}

func contenderOf(metrics []contest.Metric, runs contest.Runs) contender {
	c := contender{
		Name: runs.Contender, X: runs.X, Runs: runs.Results,
		Metrics: map[string]contest.Summary{}, Units: map[string]string{},
	}
	for _, m := range metrics {
		if s := runs.Summary(m.Name); s.N > 0 {
			c.Metrics[m.Name], c.Units[m.Name] = s, m.Unit
		}
	}
	return c
}

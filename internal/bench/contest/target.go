package contest

// Target is what a median, or the median of the rounds' ratios, must keep.
type Target struct {
	// Text as a reader knows it: "≥ 10x faster than pglogrepl".
	Text string
	// Of is the contender and Metric what is looked at.
	Of, Metric string
	// Over, where it is set, is the contender that Of is divided by, in each
	// round, and OverMetric, where it is, the metric of that one.
	Over, OverMetric string
	// AtLeast and AtMost bound the value; 0 is no bound, but for AtMost
	// together with Zero.
	AtLeast, AtMost float64
	// Zero asks for a value of 0.
	Zero bool
}

// Verdict is a target and what became of it.
type Verdict struct {
	// Target that was looked at.
	Target Target
	// Value is the median with its spread.
	Value Summary
	// Met tells whether the median keeps the target.
	Met bool
}

// Verdicts judges the targets.
func (o Outcome) Verdicts() []Verdict {
	var all []Verdict
	for _, t := range o.Comparison.Targets {
		v := Verdict{Target: t, Value: summarise(o.values(t))}
		v.Met = v.Value.N > 0 && t.keeps(v.Value.Median)
		all = append(all, v)
	}
	return all
}

// values has one value for each round in which all that is needed was measured.
func (o Outcome) values(t Target) []float64 {
	var values []float64
	over := t.OverMetric
	if over == "" {
		over = t.Metric
	}
	for round, r := range o.results(t.Of) {
		v, ok := r[t.Metric]
		if !ok {
			continue
		}
		if t.Over != "" {
			others := o.results(t.Over)
			if round >= len(others) || others[round][over] == 0 {
				continue
			}
			v /= others[round][over]
		}
		values = append(values, v)
	}
	return values
}

func (o Outcome) results(contender string) []Result {
	for _, r := range o.Runs {
		if r.Contender == contender {
			return r.Results
		}
	}
	return nil
}

func (t Target) keeps(v float64) bool {
	if t.Zero {
		return v == 0
	}
	return (t.AtLeast == 0 || v >= t.AtLeast) && (t.AtMost == 0 || v <= t.AtMost)
}

package rows

import "github.com/tidemark-pg/tidemark/internal/bench/contest"

// All returns the comparisons in the order of the table, the curves last.
func All() []contest.Comparison {
	return []contest.Comparison{
		decode(), drain(), latency(), throughput(), gap(), verbs(), memory(), idle(), remote(), startup(),
		rowsCurve(), writersCurve(), streamsCurve(), gapsCurve(), waitersCurve(),
	}
}

package contest

import (
	"math"
	"slices"
)

// Summary is the middle of some numbers and how far they lie around it.
type Summary struct {
	// N is how many there were; the others mean nothing where it is 0.
	N int `json:"n"`
	// Median, and the first and third quartile.
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

func summarise(values []float64) Summary {
	if len(values) == 0 {
		return Summary{}
	}
	slices.Sort(values)
	return Summary{N: len(values), Median: Quantile(values, 0.5), Low: Quantile(values, 0.25), High: Quantile(values, 0.75)}
}

// Quantile returns the value below which the share q of the sorted values
// lies, between two of them where that falls so. It is NaN where there is none.
func Quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	below := int(at)
	if below+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[below] + (at-float64(below))*(sorted[below+1]-sorted[below])
}

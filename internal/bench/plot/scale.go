package plot

import (
	"fmt"
	"math"
	"strconv"
)

// scale maps values to pixels.
type scale struct {
	low, high float64 // values at the ends
	from, to  float64 // pixels there
	log       bool
}

func (s scale) at(v float64) float64 {
	if s.log {
		v = math.Log10(max(v, s.low))
		return s.from + (v-math.Log10(s.low))/(math.Log10(s.high)-math.Log10(s.low))*(s.to-s.from)
	}
	return s.from + (v-s.low)/(s.high-s.low)*(s.to-s.from)
}

// spanning makes a scale that holds all values: from zero, or from one power
// of ten to another.
func spanning(values []float64, log bool) scale {
	low, high := math.Inf(1), 0.0
	for _, v := range values {
		high = max(high, v)
		if v > 0 {
			low = min(low, v)
		}
	}
	if high == 0 {
		return scale{low: 0, high: 1}
	}
	if !log {
		step := niceStep(high)
		return scale{low: 0, high: math.Ceil(high/step) * step}
	}
	s := scale{low: powerBelow(low), high: math.Pow(10, math.Ceil(math.Log10(high))), log: true}
	if s.high == s.low {
		s.high *= 10
	}
	return s
}

func powerBelow(v float64) float64 { return math.Pow(10, math.Floor(math.Log10(v))) }

// niceStep is 1, 2 or 5 times a power of ten, so that about five fit.
func niceStep(high float64) float64 {
	power := powerBelow(high / 5)
	for _, m := range []float64{1, 2, 5} {
		if high/(m*power) <= 6 {
			return m * power
		}
	}
	return 10 * power
}

// ticks are the values with a line of the grid.
func (s scale) ticks() []float64 {
	var ticks []float64
	if s.log {
		every := 1.0
		if math.Log10(s.high/s.low) > 6 {
			every = 2
		}
		for e := math.Log10(s.low); e <= math.Log10(s.high)+1e-9; e += every {
			ticks = append(ticks, math.Pow(10, math.Round(e)))
		}
		return ticks
	}
	step := niceStep(s.high)
	for i := 0.0; i*step <= s.high*(1+1e-9); i++ {
		ticks = append(ticks, i*step)
	}
	return ticks
}

// Short writes a number with three digits that count: 1.23, 12.3, 123, 1.2k.
func Short(v float64) string {
	switch a := math.Abs(v); {
	case v == 0:
		return "0"
	case a >= 999_500:
		return trim(v/1e6, 2) + " M"
	case a >= 9_995:
		return trim(v/1e3, 1) + " k"
	case a >= 99.5:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 9.95:
		return trim(v, 1)
	case a >= 0.001:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	return fmt.Sprintf("%.1e", v)
}

// trim writes v with that many decimals at the most.
func trim(v float64, decimals int) string {
	power := math.Pow(10, float64(decimals))
	return strconv.FormatFloat(math.Round(v*power)/power, 'f', -1, 64)
}

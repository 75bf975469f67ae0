package catalog

import "strings"

// nearest returns the candidate that a mistyped name most likely meant, or "":
// it differs in case alone, or in at most a third of its letters.
func nearest(name string, candidates []string) string {
	best, bestDistance := "", len(name)/3+1
	for _, c := range candidates {
		if strings.EqualFold(c, name) {
			return c
		}
		if d := distance(name, c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// didYouMean is " (did you mean x?)", or nothing where nothing is near.
func didYouMean(name string, candidates []string) string {
	if near := nearest(name, candidates); near != "" {
		return " (did you mean " + near + "?)"
	}
	return ""
}

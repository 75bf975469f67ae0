package remote

import "github.com/tidemark-pg/tidemark/follower/internal/epoch"

// verdict is what an epoch that a daemon tells is to the present one.
type verdict int

const (
	epochSame     verdict = iota
	epochNewer            // it begins now
	epochOlder            // never returned to
	epochReturned         // it was left; whether it is newer cannot be told
)

// judge compares a told epoch with the present one, "" while there is none.
// left are those that were present before.
func judge(told, present string, left []string) verdict {
	switch order := compareEpochs(told, present); {
	case told == present:
		return epochSame
	case present == "" || order > 0:
		return epochNewer
	case order < 0:
		return epochOlder
	}
	for _, e := range left {
		if e == told {
			return epochReturned
		}
	}
	return epochNewer
}

// compareEpochs orders epochs of one system by timeline, then by where it
// began (RULES 11); 0 where that does not tell them apart, or where one is not
// of a known form.
func compareEpochs(a, b string) int {
	x, okX := epoch.Parse(a)
	y, okY := epoch.Parse(b)
	if !okX || !okY {
		return 0
	}
	return x.Compare(y.Epoch)
}

package remote

import "testing"

// RULES 11: epochs of one system are ordered by timeline, then by where it
// began; nothing else is.
func TestJudge(t *testing.T) {
	left := []string{"7/2/A0/9.1", "opaque"}
	for _, c := range []struct {
		told, present string
		want          verdict
	}{
		{"7/1/0/9.1", "", epochNewer},
		{"", "", epochSame},
		{"7/1/0/9.1", "7/1/0/9.1", epochSame},
		{"7/2/A0/9.1", "7/1/0/9.1", epochNewer},
		{"7/10/A0/9.1", "7/9/A0/9.1", epochNewer},
		{"7/1/0/9.2", "7/2/A0/9.1", epochOlder},
		{"7/2/A0/9.1", "7/2/B0/9.1", epochOlder}, // that it was left does not matter
		{"7/2/100/9.1", "7/2/F0/9.1", epochNewer},
		{"7/2/B0~1/9.1", "7/2/A0~4/9.1/x", epochNewer},
		{"7/2/A0~1/9.1", "7/2/A0/9.1/x", epochNewer}, // not ordered: the newest wins
		{"7/2/A0/9.2", "7/2/A0/9.3", epochNewer},
		{"7/2/A0/9.1", "7/2/A0/9.2", epochReturned},
		{"8/1/0/9.1", "7/2/A0/9.1", epochNewer}, // another system
		{"opaque", "7/2/A0/9.1", epochReturned},
		{"e1", "e2", epochNewer},
		{"7/2/A0/9.1", "opaque 2", epochReturned},
		{"7/1", "7/2/A0", epochNewer}, // other forms are not ordered
		{"7/-/A0", "7/2/A0", epochNewer},
		{"7/1/xyz", "7/2/A0", epochNewer},
		{"a/1/0", "a/2/A0", epochNewer},
		{"7/99999999999/0", "7/2/A0", epochNewer},
		{"7/1/0~0", "7/2/A0", epochOlder},
		{"7/1/0", "7/2/A0", epochOlder},
	} {
		if got := judge(c.told, c.present, left); got != c.want {
			t.Errorf("%q after %q: %d, want %d", c.told, c.present, got, c.want)
		}
	}
}

package follower

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// Failures no two of which are alike do not fill the log.
func TestFailuresThatDiffer(t *testing.T) {
	t.Parallel()
	began := time.Now()
	reset := func(second int) string {
		return fmt.Sprintf("read tcp 127.0.0.1:%d->127.0.0.1:5432: connection reset by peer", 40000+second)
	}
	words := func(second int) string { return "refused by " + string(rune('a'+second)) }
	for _, c := range []struct {
		name   string
		reason func(second int) string
		want   []int
	}{
		{"the same", func(int) string { return "connection refused" }, []int{0}},
		{"another port each time", reset, []int{0}},
		{"other words each time", words, []int{0, 10, 20, 30, 40, 50}},
		{"two by turns", func(second int) string { return words(second % 2) }, []int{0, 11}},
	} {
		var r repeated
		var told []int
		for second := range 60 {
			if r.worth(began.Add(time.Duration(second)*time.Second), "reading failed", c.reason(second)) {
				told = append(told, second)
			}
		}
		if !slices.Equal(told, c.want) {
			t.Errorf("%s: told after the seconds %v, want %v", c.name, told, c.want)
		}
	}
}

// Something else that goes wrong need not wait, and what comes back after it was
// over is news.
func TestFailuresOfAnotherKind(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var r repeated
	if r.over() {
		t.Error("over before it began")
	}
	for i, kind := range []string{"standby", "reading failed", "rows cannot be understood"} {
		if !r.worth(now.Add(time.Duration(i)*time.Second), kind, "because") {
			t.Errorf("%s: not told", kind)
		}
	}
	if !r.over() {
		t.Error("not over")
	}
	if !r.worth(now.Add(4*time.Second), "standby", "because") {
		t.Error("not told again")
	}
}

// A loop that fails for ever in ever new words keeps no more and more of them.
func TestFailuresAreBounded(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var r repeated
	told := 0
	for i := range 1000 {
		if r.worth(now.Add(time.Duration(i)*time.Minute), "reading failed", fmt.Sprint(string(rune(0x4e00+i)))) {
			told++
		}
	}
	if told != maxFailures {
		t.Errorf("told %d times, want %d", told, maxFailures)
	}
}

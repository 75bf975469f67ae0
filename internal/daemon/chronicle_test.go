package daemon

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemark-pg/tidemark/follower/slots"
)

// say feeds a chronicle with the verdicts of one slot, five seconds apart, and
// returns what it says: the number of the sample, and the message.
func say(verdicts string) (said []string) {
	var c chronicle
	now := time.Unix(0, 0)
	for i, v := range strings.Fields(verdicts) {
		now = now.Add(5 * time.Second)
		seen := []slots.Slot{{Name: "s", Verdict: slots.Verdict(v)}}
		if v == "-" {
			seen = nil
		}
		for _, e := range c.add(now, seen) {
			said = append(said, string(rune('a'+i))+" "+e.level.String()+" "+e.message)
		}
	}
	return said
}

func TestChronicle(t *testing.T) {
	t.Parallel()
	minute := strings.Repeat(" ok", 13)
	for name, c := range map[string]struct {
		verdicts string
		want     []string
	}{
		"well":                       {"ok ok ok", nil},
		"bad for one sample":         {"inactive ok lagging ok", nil},
		"bad from the start":         {"inactive inactive inactive", []string{"b WARN slot is inactive"}},
		"worse at once":              {"ok stalled lost lost", []string{"c ERROR slot is lost"}},
		"worse and worse":            {"lagging lagging inactive at_risk at_risk", []string{"b WARN slot is lagging", "c WARN slot is inactive", "d WARN slot is at risk"}},
		"better is not worse":        {"at_risk at_risk lagging lagging at_risk", []string{"b WARN slot is at risk"}},
		"well again":                 {"lost lost" + minute, []string{"b ERROR slot is lost", "o INFO slot is well again"}},
		"not yet well again":         {"lost lost" + minute[3:], []string{"b ERROR slot is lost"}},
		"hovers about a limit":       {"lagging lagging ok lagging lagging ok ok lagging lagging", []string{"b WARN slot is lagging"}},
		"well again, then bad again": {"lagging lagging" + minute + " lagging lagging", []string{"b WARN slot is lagging", "o INFO slot is well again", "q WARN slot is lagging"}},
		"gone":                       {"lost lost - -", []string{"b ERROR slot is lost", "c INFO slot is gone"}},
		"gone while well":            {"ok ok -", nil},
	} {
		if diff := cmp.Diff(c.want, say(c.verdicts)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A follower that reconnects leaves its slot unread for a moment.
func TestGuardWaitsForASecondSample(t *testing.T) {
	t.Parallel()
	kept := func(n int64) *int64 { return &n }
	unread := slots.Slot{Name: "s", RetainedBytes: kept(101)}
	for name, c := range map[string]struct {
		limit int64
		seen  []slots.Slot
		want  bool
	}{
		"unread twice":  {100, []slots.Slot{unread, unread}, true},
		"unread once":   {100, []slots.Slot{unread}, false},
		"read between":  {100, []slots.Slot{unread, {Name: "s", Active: true, RetainedBytes: kept(101)}, unread}, false},
		"at the limit":  {101, []slots.Slot{unread, unread}, false},
		"off":           {0, []slots.Slot{unread, unread}, false},
		"another slot":  {100, []slots.Slot{{Name: "t", RetainedBytes: kept(101)}, {Name: "t", RetainedBytes: kept(101)}}, false},
		"lost already":  {100, []slots.Slot{{Name: "s"}, {Name: "s"}}, false},
		"read by other": {100, []slots.Slot{{Name: "s", Active: true, RetainedBytes: kept(101)}, {Name: "s", Active: true, RetainedBytes: kept(101)}}, false},
	} {
		g := guard{limit: c.limit, slot: "s"}
		got := false
		for _, s := range c.seen {
			got = g.exceeded([]slots.Slot{s})
		}
		if got != c.want {
			t.Errorf("%s: exceeded %v", name, got)
		}
	}
}

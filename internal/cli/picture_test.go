package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/slots"
	"github.com/tidemark-pg/tidemark/internal/client"
)

func streamAt(position, allocated int64) client.Stream {
	return client.Stream{Name: "events", State: follower.StateFollowing, Position: &position, Allocated: &allocated}
}

func TestTrend(t *testing.T) {
	t.Parallel()
	var tr trend
	begin := time.Unix(1_000_000, 0)
	if _, known := tr.rate(begin); known {
		t.Error("a rate of nothing")
	}
	for second, behind := range []int64{0, 1, 70, 7, 0} {
		at := begin.Add(time.Duration(second) * time.Second)
		position := int64(100 * second)
		tr.add(at, streamAt(position, position+behind))
		tr.add(at, streamAt(position, position)) // the worst of a second counts
	}
	now := begin.Add(4 * time.Second)
	if rate, known := tr.rate(now); !known || rate != 100 {
		t.Errorf("rate %f, %t, want 100", rate, known)
	}
	if got, want := tr.spark(now.Add(time.Second), 7), " ▁▂█▂▁ "; got != want {
		t.Errorf("drawn %q, want %q", got, want)
	}
	if got := tr.spark(now.Add(time.Minute), trendSeconds); strings.TrimSpace(got) != "" {
		t.Errorf("a minute later %q", got)
	}
	var back trend // descending: away from zero all the same
	back.add(begin, streamAt(-10, -30))
	back.add(begin.Add(2*time.Second), streamAt(-30, -30))
	if rate, _ := back.rate(begin.Add(2 * time.Second)); rate != 10 {
		t.Errorf("descending: rate %f, want 10", rate)
	}
	back.add(begin, client.Stream{}) // knows nothing
}

func TestPictureTellsInWords(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	app, pid, since := "nightly\x1b[2J import", int32(4711), now.Add(-90*time.Second)
	held := streamAt(10, 30)
	held.HeldBy = []follower.Holder{{PID: &pid, ApplicationName: &app, Since: &since}}
	kept := int64(5 << 30)
	got := picture([]client.Stream{held, {Name: "orders", State: follower.StateHalted, Reason: "no table"}}, nil,
		[]slots.Slot{
			{Name: "tidemark", Verdict: slots.VerdictOK, Active: true},
			{Name: "forgotten", Verdict: slots.VerdictInactive, RetainedBytes: &kept, Reason: "nobody reads it: drop it"},
		}, now)
	for _, want := range []string{
		"NOT READY: following 1 of 2 streams", "held by pid 4711 (nightly [2J import), for 1m30s", "reason: no table",
		"forgotten  no       5 GiB  inactive\n    nobody reads it: drop it",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.ContainsRune(got, '\x1b') {
		t.Error("a name can move the cursor")
	}
	if all := picture([]client.Stream{streamAt(1, 1)}, nil, nil, now); !strings.Contains(all, "following 1 of 1 streams") || strings.Contains(all, "NOT") {
		t.Errorf("all is well:\n%s", all)
	}
}

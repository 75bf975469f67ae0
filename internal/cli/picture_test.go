package cli

import (
	"slices"
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
		}, now, 0)
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
	if all := picture([]client.Stream{streamAt(1, 1)}, nil, nil, now, 0); !strings.Contains(all, "following 1 of 1 streams") || strings.Contains(all, "NOT") {
		t.Errorf("all is well:\n%s", all)
	}
}

// A long name leaves room for the numbers, and what needs somebody is above what
// a small window leaves out.
func TestPictureOnASmallTerminal(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	since, pid := now.Add(-time.Minute), int32(7)
	long, held, halted, late := streamAt(1, 2), streamAt(3, 4), streamAt(5, 6), streamAt(7, 8)
	long.Name = strings.Repeat("lång ", 20)
	held.Name, held.HeldBy = "held", []follower.Holder{{PID: &pid, Since: &since}}
	halted.Name, halted.State = "halted", follower.StateHalted
	late.Name, late.LateRows = "late", 2
	got := fit(picture([]client.Stream{long, held, halted, late}, nil, nil, now, 60), 60, 24)
	if !strings.Contains(got, "LATE ROWS: 2 ") {
		t.Errorf("late rows are not told of:\n%s", got)
	}
	var names []string
	for line := range strings.Lines(got) {
		if name, _, ok := strings.Cut(line, "  "); ok && name != "" && name != "STREAM" {
			names = append(names, name)
		}
		if strings.HasPrefix(line, "lång") && !strings.Contains(line, "…  following  1         2") {
			t.Errorf("no numbers beside the long name: %q", line)
		}
	}
	if want := []string{"halted", "late", "held", "lång lång l…"}; !slices.Equal(names, want) {
		t.Errorf("streams in the order %q, want %q\n%s", names, want, got)
	}
}

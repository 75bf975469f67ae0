package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/slots"
	"github.com/tidemark-pg/tidemark/internal/client"
)

// sparkSeconds is how much of the last minute fits beside the numbers on a
// terminal of 80 columns.
const sparkSeconds = 20

// heldFor is how long a position must have been held back to be shown above
// others; less is everyday life.
const heldFor = 5 * time.Second

// picture shows a daemon to a person who watches, on a terminal of so many
// columns: what needs somebody first, for what is below may not fit.
func picture(streams []client.Stream, trends map[string]*trend, of []slots.Slot, now time.Time, columns int) string {
	t := newGrid("STREAM", "STATE", "POSITION", "ALLOCATED", "IDS/S", "BEHIND", fmt.Sprintf("LAST %d S", sparkSeconds))
	t.columns = columns
	ordered := slices.SortedStableFunc(slices.Values(streams), func(a, b client.Stream) int { return urgency(b, now) - urgency(a, now) })
	for _, s := range ordered {
		t.row(notes(s, now), s.Name, string(s.State), number(s.Position), number(s.Allocated),
			pace(trends[s.Name], now), behind(s), spark(trends[s.Name], now))
	}
	text := summary(streams) + "\n\n" + t.String()
	if len(of) == 0 {
		return text
	}
	t = newGrid("SLOT", "READ BY", "KEEPS", "VERDICT")
	t.columns = columns
	for _, s := range worstFirst(of) {
		lines := slotNotes(s, now)
		if s.Verdict != slots.VerdictOK {
			lines = append([]string{s.Reason}, lines...)
		}
		t.row(lines, s.Name, reader(s), humanSize(s.RetainedBytes), string(s.Verdict))
	}
	return text + "\n" + t.String()
}

// urgency is greater for streams that need somebody.
func urgency(s client.Stream, now time.Time) int {
	if s.LateRows > 0 || s.State == follower.StateHalted {
		return 3
	}
	if s.State != follower.StateFollowing {
		return 2
	}
	for _, h := range s.HeldBy {
		if h.Since != nil && now.Sub(*h.Since) >= heldFor {
			return 1
		}
	}
	return 0
}

// summary says at a glance whether all is well.
func summary(streams []client.Stream) string {
	following := 0
	for _, s := range streams {
		if s.State == follower.StateFollowing {
			following++
		}
	}
	if following == len(streams) {
		return fmt.Sprintf("following %d of %d streams", following, len(streams))
	}
	return fmt.Sprintf("NOT READY: following %d of %d streams", following, len(streams))
}

func pace(t *trend, now time.Time) string {
	if t == nil {
		return "-"
	}
	perSecond, known := t.rate(now)
	switch {
	case !known:
		return "-"
	case perSecond > 0 && perSecond < 10:
		return fmt.Sprintf("%.1f", perSecond)
	}
	return fmt.Sprintf("%.0f", perSecond)
}

func spark(t *trend, now time.Time) string {
	if t == nil {
		return ""
	}
	return strings.TrimRight(t.spark(now, sparkSeconds), " ")
}

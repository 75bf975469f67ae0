package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/slots"
	"github.com/tidemark-pg/tidemark/internal/client"
)

// sparkSeconds is how much of the last minute fits beside the numbers on a
// terminal of 80 columns.
const sparkSeconds = 20

// picture shows a daemon to a person who watches.
func picture(streams []client.Stream, trends map[string]*trend, of []slots.Slot, now time.Time) string {
	t := newGrid("STREAM", "STATE", "POSITION", "ALLOCATED", "IDS/S", "BEHIND", fmt.Sprintf("LAST %d S", sparkSeconds))
	for _, s := range streams {
		t.row(notes(s, now), s.Name, string(s.State), number(s.Position), number(s.Allocated),
			pace(trends[s.Name], now), behind(s), spark(trends[s.Name], now))
	}
	text := summary(streams) + "\n\n" + t.String()
	if len(of) == 0 {
		return text
	}
	t = newGrid("SLOT", "READ BY", "KEEPS", "VERDICT")
	for _, s := range of {
		lines := slotNotes(s, now)
		if s.Verdict != slots.VerdictOK {
			lines = append([]string{s.Reason}, lines...)
		}
		t.row(lines, s.Name, reader(s), humanSize(s.RetainedBytes), string(s.Verdict))
	}
	return text + "\n" + t.String()
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

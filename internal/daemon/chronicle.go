package daemon

import (
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/tidemark-pg/tidemark/follower/slots"
)

// wellFor is how long a slot must have been well before that is said: one that
// hovers about a limit would fill the log.
const wellFor = time.Minute

// chronicle turns verdicts into log lines: one when a slot gets worse, one when
// it is well again. The zero value is ready for use.
type chronicle struct {
	entries map[string]*entry
}

// entry is what is known and what has been said of a slot.
type entry struct {
	last slots.Verdict // of the sample before
	said slots.Verdict // the worst since it was well
	well time.Time     // since when; zero while it is not
}

// event is a log line.
type event struct {
	level   slog.Level
	message string
	attrs   []slog.Attr
}

// add looks at a sample taken at now.
func (c *chronicle) add(now time.Time, seen []slots.Slot) (events []event) {
	entries := make(map[string]*entry, len(seen))
	for _, s := range seen {
		e := c.entries[s.Name]
		if e == nil {
			e = &entry{last: slots.VerdictOK, said: slots.VerdictOK}
		}
		entries[s.Name] = e
		if line, ok := e.add(now, s); ok {
			events = append(events, line)
		}
	}
	for _, name := range gone(c.entries, entries) {
		events = append(events, event{slog.LevelInfo, "slot is gone", []slog.Attr{slog.String("slot", name)}})
	}
	c.entries = entries
	return events
}

// gone are the slots of which something bad was said and that are no more.
func gone(before, now map[string]*entry) (names []string) {
	for name, e := range before {
		if now[name] == nil && e.said != slots.VerdictOK {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// add says nothing of what is bad for one sample only: a follower that starts
// finds its slot unread, and reads it.
func (e *entry) add(now time.Time, s slots.Slot) (event, bool) {
	before := e.last
	if e.last = s.Verdict; s.Verdict == slots.VerdictOK {
		return e.wellAgain(now, s)
	}
	e.well = time.Time{}
	if before == slots.VerdictOK || !s.Verdict.Worse(e.said) {
		return event{}, false
	}
	e.said = s.Verdict
	return event{level(s.Verdict), "slot is " + strings.ReplaceAll(string(s.Verdict), "_", " "), attrs(s)}, true
}

func (e *entry) wellAgain(now time.Time, s slots.Slot) (event, bool) {
	if e.well.IsZero() {
		e.well = now
	}
	if e.said == slots.VerdictOK || now.Sub(e.well) < wellFor {
		return event{}, false
	}
	e.said = slots.VerdictOK
	return event{slog.LevelInfo, "slot is well again", attrs(s)}, true
}

// level: what is lost will not mend itself.
func level(v slots.Verdict) slog.Level {
	if v == slots.VerdictLost {
		return slog.LevelError
	}
	return slog.LevelWarn
}

func attrs(s slots.Slot) []slog.Attr {
	return []slog.Attr{
		slog.String("slot", s.Name), slog.String("database", s.Database),
		slog.String("verdict", string(s.Verdict)), slog.String("reason", s.Reason),
	}
}

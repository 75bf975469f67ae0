package cli

import (
	"strings"
	"time"

	"github.com/tidemark-pg/tidemark/internal/client"
)

// trend is the last minute of a stream: a value for each of its seconds.
type trend struct {
	second [trendSeconds]trendSecond // by the second of the clock
}

type trendSecond struct {
	at                  int64 // Unix seconds; 0: nothing is known
	behind              int64 // at the worst
	position            int64 // the last one
	positionAt, startAt time.Time
	start               int64 // the first position
}

const trendSeconds = 60

// add notes what a stream tells. Nothing is noted of one that does not know.
func (t *trend) add(now time.Time, s client.Stream) {
	if s.Position == nil || s.Allocated == nil {
		return
	}
	at := now.Unix()
	here := &t.second[at%trendSeconds]
	if here.at != at {
		*here = trendSecond{at: at, start: *s.Position, startAt: now}
	}
	here.behind = max(here.behind, distance(*s.Allocated, *s.Position))
	here.position, here.positionAt = *s.Position, now
}

// rate is how many ids a second the position has covered in the last ten
// seconds; false where it was not seen for at least one.
func (t *trend) rate(now time.Time) (perSecond float64, known bool) {
	const window = 10
	var first, last *trendSecond
	for at := now.Unix() - window; at <= now.Unix(); at++ {
		if s := &t.second[at%trendSeconds]; s.at == at {
			if first == nil {
				first = s
			}
			last = s
		}
	}
	if first == nil || last.positionAt.Sub(first.startAt) < time.Second {
		return 0, false
	}
	return float64(distance(last.position, first.start)) / last.positionAt.Sub(first.startAt).Seconds(), true
}

// spark draws how far behind the stream was, the newest second at the right,
// over the scale of its own highest value; a blank where nothing is known.
func (t *trend) spark(now time.Time, seconds int) string {
	levels := []rune("▁▂▃▄▅▆▇█")
	known := make([]*trendSecond, 0, seconds)
	highest := int64(0)
	for at := now.Unix() - int64(seconds) + 1; at <= now.Unix(); at++ {
		s := &t.second[at%trendSeconds]
		if s.at != at {
			s = nil
		} else {
			highest = max(highest, s.behind)
		}
		known = append(known, s)
	}
	var b strings.Builder
	for _, s := range known {
		switch {
		case s == nil:
			b.WriteByte(' ')
		case s.behind == 0:
			b.WriteRune(levels[0])
		default: // whatever is not nothing is seen to be something
			b.WriteRune(levels[1+int(float64(s.behind-1)/float64(highest)*float64(len(levels)-1))])
		}
	}
	return b.String()
}

package session

import "time"

const (
	// crowdedRate is from where on commits come in crowds, in commits a second.
	crowdedRate = 2000
	// crowdedSpan is over what time they are counted. The server flushes commits
	// of several writers at once: over a few milliseconds that looks like more
	// than it is.
	crowdedSpan = 50 * time.Millisecond
)

// crowding finds out whether commits come so fast that a statement for each
// would cost the writers. The zero value has seen none.
type crowding struct {
	since   time.Time
	commits int
	crowded bool
}

// saw counts commits that have become visible, and reports whether they come in
// crowds. After silence they do not, whatever they did before.
func (c *crowding) saw(commits int, now time.Time) bool {
	c.commits += commits
	span := now.Sub(c.since)
	if span < crowdedSpan {
		return c.crowded
	}
	c.crowded = float64(c.commits) > crowdedRate*span.Seconds()
	c.since, c.commits = now, 0
	return c.crowded
}

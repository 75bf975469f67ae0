package tailing

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
)

// lookEvery is how often holders are looked at, which change without a word.
const lookEvery = 200 * time.Millisecond

// notices say what the reading waits for: on stderr, one line each, and only
// when there is something else to say.
type notices struct {
	to     io.Writer
	stream string
	said   string
}

// watch says what there is to say until ctx ends.
func (n *notices) watch(ctx context.Context, s *follower.Stream) error {
	changed := make(chan struct{}, 1)
	cancel := s.Watch(func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	defer cancel()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		n.say(s.Status(), time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-look.C:
		}
	}
}

// say writes the notice that a status calls for, unless it was the last one.
func (n *notices) say(st follower.Status, now time.Time) {
	what, text := notice(st, now)
	if what == n.said {
		return
	}
	if text == "" && n.said != "" && st.State == follower.StateFollowing {
		text = "following"
	}
	n.said = what
	if text != "" {
		// A reader of rows can do without what cannot be said to it.
		_, _ = fmt.Fprintf(n.to, "tidemark: stream %q: %s\n", n.stream, text)
	}
}

// notice is what to say of a status, and what it is about: the same wait grows
// older and is not another.
func notice(st follower.Status, now time.Time) (what, text string) {
	switch {
	case st.State != follower.StateFollowing && st.Reason != "":
		text = fmt.Sprintf("%s: %s", st.State, st.Reason)
		return text, text
	case !st.Known && len(st.HeldBy) > 0:
		var named, aged []string
		for _, h := range st.HeldBy {
			name := holder(h)
			named, aged = append(named, name), append(aged, name+condition(h, now))
		}
		return strings.Join(named, "; "), "waiting for " + strings.Join(aged, "; ")
	}
	return "", ""
}

// holder names who holds a position back.
func holder(h follower.Holder) string {
	var words []string
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	switch {
	case h.GID != nil:
		add("prepared transaction %q", *h.GID)
	case h.PID != nil:
		add("pid %d", *h.PID)
	case h.Writer != nil:
		add("writer %q", *h.Writer)
	}
	if h.ApplicationName != nil && *h.ApplicationName != "" {
		add("application %q", *h.ApplicationName)
	}
	if h.User != nil {
		add("user %q", *h.User)
	}
	return strings.Join(words, ", ")
}

// condition says what may change of a holder: its state and age.
func condition(h follower.Holder, now time.Time) string {
	var text string
	if h.State != nil && h.GID == nil {
		text = ", " + *h.State
	}
	if h.Since != nil {
		text += fmt.Sprintf(", open for %s", max(0, now.Sub(*h.Since)).Round(time.Second))
	}
	return text
}

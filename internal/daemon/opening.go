package daemon

import (
	"context"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
)

const (
	// settling is how long a stream has been followed before that counts: the
	// fence serves positions at once, and the slot may yet be refused.
	settling = time.Second
	// ordinary is how long a start may take without a word: it creates a slot,
	// skips ahead and loads, and gives each of them as its reason.
	ordinary = 2 * time.Second
	// spaced is how long nothing is said after a reason: a long load has another
	// one every second.
	spaced = 10 * time.Second
	// holdAtMost is how long log lines are held back at all.
	holdAtMost = 10 * time.Second
)

// open is the time until it is known that the daemon goes on: log lines are
// held back, for a refusal shall be one line and nothing before it. They are
// let through when a stream waits for more than a moment, as it does for a
// server that cannot be reached, which is then named, or is followed.
func (d *daemon) open(ctx context.Context) {
	changed := make(chan struct{}, 1)
	for _, s := range d.follower.Streams() {
		defer s.Watch(func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		})()
	}
	var settled <-chan time.Time
	look := time.NewTicker(ordinary)
	defer look.Stop()
	late := time.After(holdAtMost)
	said := newReasons(time.Now())
	for {
		state, reason := d.opening()
		switch {
		case said.worth(time.Now(), reason):
			d.log.Warn("not following yet; trying again", "reason", reason)
			d.hold.Release()
		case state != follower.StateStarting && settled == nil:
			settled = time.After(settling)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-look.C:
		case <-settled:
			d.hold.Release()
			return
		case <-late:
			d.hold.Release()
		}
	}
}

// reasons picks, of the reasons for which a start takes long, those worth a line:
// each once, and not many.
type reasons struct {
	said  map[string]bool
	quiet time.Time // until then
}

func newReasons(began time.Time) *reasons {
	return &reasons{said: make(map[string]bool), quiet: began.Add(ordinary)}
}

// maxReasons is how many are remembered: where each has another number in it, a
// start that takes days must not keep all of them.
const maxReasons = 100

// worth reports whether a reason is to be told now, and takes it for told.
func (r *reasons) worth(now time.Time, reason string) bool {
	if reason == "" || r.said[reason] || now.Before(r.quiet) {
		return false
	}
	if len(r.said) >= maxReasons {
		clear(r.said)
	}
	r.said[reason] = true
	r.quiet = now.Add(spaced)
	return true
}

// opening is the state of the stream that is the least far, and why it is
// still starting.
func (d *daemon) opening() (follower.State, string) {
	for _, s := range d.follower.Streams() {
		if st := s.Status(); st.State == follower.StateStarting {
			return st.State, st.Reason
		}
	}
	return follower.StateFollowing, ""
}

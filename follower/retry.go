package follower

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// retry spaces the attempts of one loop: longer after each failure, with
// jitter, so that many followers do not come back as one.
type retry struct {
	back *backoff.ExponentialBackOff
}

func newRetry() *retry {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval = 50 * time.Millisecond
	b.MaxInterval = 2 * time.Second
	return &retry{back: b}
}

// succeeded makes the next pause short again.
func (r *retry) succeeded() { r.back.Reset() }

// pause waits before the next attempt.
func (r *retry) pause(ctx context.Context) { sleep(ctx, r.back.NextBackOff()) }

// pauseOn is pause after an attempt on footing g. As soon as there is another one
// it is over: that the server of g was away says nothing of the one that is there.
func (f *Follower) pauseOn(ctx context.Context, g *footing, r *retry) {
	ctx, cancel := context.WithTimeout(ctx, r.back.NextBackOff())
	defer cancel()
	f.ground.until(ctx, func(now *footing) bool { return !g.same(now) })
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

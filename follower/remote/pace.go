package remote

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// maxPause is the longest pause before an attempt, but for its jitter.
	maxPause = 5 * time.Second
	// hopWithin: who loses one daemon turns to another within this time, and
	// not everybody at once.
	hopWithin = 200 * time.Millisecond
	// steady is how long a connection must have been of use for the next pause
	// to be short again.
	steady = 5 * time.Second
)

// pace spaces the attempts to reach one of some addresses: longer after each
// round that failed, with jitter, so that many clients do not come back as one.
type pace struct {
	back      *backoff.ExponentialBackOff
	addresses int
	failed    int // attempts in a row
}

func newPace(addresses int) *pace {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.Multiplier, b.MaxInterval = 100*time.Millisecond, 2, maxPause
	return &pace{back: b, addresses: addresses}
}

// succeeded makes the next pause short again.
func (p *pace) succeeded() {
	p.failed = 0
	p.back.Reset()
}

// next is how long to wait after a failure. An address that was not asked in
// this round is asked soon; one that was, not before the time that its daemon
// wants (retry, negative where it wants none).
func (p *pace) next(retry time.Duration) time.Duration {
	if p.failed++; p.failed%p.addresses != 0 {
		return rand.N(hopWithin)
	}
	pause := p.back.NextBackOff()
	if p.addresses == 1 {
		pause = max(pause, min(retry, maxPause))
	}
	return pause
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

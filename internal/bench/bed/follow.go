package bed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
)

// Following is a follower that runs.
type Following struct {
	// Follower that runs.
	Follower *follower.Follower
	// Events is its first stream.
	Events *follower.Stream

	stop context.CancelFunc
	done chan error
}

// Follow starts a follower; it runs until Stop.
func Follow(ctx context.Context, cfg follower.Config) (*Following, error) {
	f, err := follower.New(cfg)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	r := &Following{Follower: f, Events: f.Streams()[0], stop: stop, done: make(chan error, 1)}
	go func() { r.done <- f.Run(ctx) }()
	return r, nil
}

// Stop ends the follower and returns once it has let go of its slot.
func (f *Following) Stop() error {
	f.stop()
	err := <-f.done
	f.done <- err // for whoever stops it again
	return err
}

// FollowStreaming starts a follower and returns once rows arrive through its
// slot: it writes some until one does.
func FollowStreaming(ctx context.Context, db *Database, cfg follower.Config) (*Following, error) {
	f, err := Follow(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := f.AwaitRow(ctx, db); err != nil {
		return nil, errors.Join(err, f.Stop())
	}
	return f, nil
}

// AwaitRow returns once a row has come through the slot, and the position has
// come to it.
func (f *Following) AwaitRow(ctx context.Context, db *Database) error {
	if err := f.Events.WaitFor(ctx, follower.Target{}); err != nil {
		return fmt.Errorf("wait for the first position: %w", err)
	}
	before := f.Events.Status().Rows
	for f.Events.Status().Rows == before {
		id, err := Ask[int64](ctx, db, Insert, "probe")
		if err != nil {
			return err
		}
		if err := f.Events.Wait(ctx, id); err != nil {
			return fmt.Errorf("wait for %d: %w", id, err)
		}
		if err := f.Until(ctx, 50*time.Millisecond, func(s follower.Status) bool { return s.Rows > before }); err != nil {
			return err
		}
	}
	return nil
}

// Until looks at the status until it is as wanted or patience is at its end,
// which is no error; ctx's end is one.
func (f *Following) Until(ctx context.Context, patience time.Duration, wanted func(follower.Status) bool) error {
	end := time.Now().Add(patience)
	for time.Now().Before(end) && !wanted(f.Events.Status()) {
		select {
		case err := <-f.done:
			f.done <- err
			return fmt.Errorf("the follower has ended: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
	return nil
}

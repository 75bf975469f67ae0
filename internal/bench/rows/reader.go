package rows

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tidemark-pg/tidemark/internal/bench/bed"
	"github.com/tidemark-pg/tidemark/internal/bench/contest"
	"github.com/tidemark-pg/tidemark/internal/bench/peer"
	"github.com/tidemark-pg/tidemark/tracker"
)

// reader is one way to learn of rows while they are written.
type reader struct {
	insert string // how its writers write; the parameter is a writer's name
	await  func(ctx context.Context, id int64) error
	stop   func() error
}

// opening starts a reader. It returns when rows written from now on will be
// seen.
type opening func(ctx context.Context, db *bed.Database) (*reader, error)

// Names of contenders.
const (
	notifying  = "NOTIFY with each commit"
	receiving  = "receipt by the pglogrepl loop"
	polling    = "polling below xmin, 1 s (Watermill)"
	gapPolling = "polling, 100 ms, 3 s for a gap"
)

func openTidemark(ctx context.Context, db *bed.Database) (*reader, error) {
	f, err := bed.FollowStreaming(ctx, db, db.Events())
	if err != nil {
		return nil, err
	}
	return &reader{insert: bed.Insert, await: f.Events.Wait, stop: f.Stop}, nil
}

func openLoop(ctx context.Context, db *bed.Database) (*reader, error) {
	var seen peer.Arrivals
	stop, err := beside(ctx, func(ctx context.Context, started func()) error {
		return peer.Loop{URL: db.URL, Publication: bed.Publication, StartedFunc: started, CommitFunc: func(ids []int64) bool {
			for _, id := range ids {
				seen.Mark(id)
			}
			return false
		}}.Run(ctx)
	})
	return &reader{insert: bed.Insert, await: seen.Await, stop: stop}, err
}

func openNotify(ctx context.Context, db *bed.Database) (*reader, error) {
	var seen peer.Arrivals
	stop, err := beside(ctx, func(ctx context.Context, started func()) error {
		return peer.Listen(ctx, db.URL, started, seen.Mark)
	})
	return &reader{insert: peer.InsertNotify, await: seen.Await, stop: stop}, err
}

func openWatermill(ctx context.Context, db *bed.Database) (*reader, error) {
	w, err := peer.OpenWatermill(ctx, db.URL)
	if err != nil {
		return nil, err
	}
	var seen peer.Arrivals
	stop, err := beside(ctx, func(ctx context.Context, started func()) error { return w.Run(ctx, started, seen.Mark) })
	return &reader{insert: peer.InsertWatermill, await: seen.Await, stop: func() error {
		return errors.Join(stop(), w.Close())
	}}, err
}

// openGapRule opens a reader that gives each gap so much patience.
func openGapRule(patience time.Duration) opening {
	const every = 100 * time.Millisecond
	return func(ctx context.Context, db *bed.Database) (*reader, error) {
		after, err := bed.Ask[int64](ctx, db, "SELECT coalesce(max(id), 0) FROM events")
		if err != nil {
			return nil, err
		}
		position, err := tracker.New(tracker.Config{Stream: "events"}) // only for its Wait
		if err != nil {
			return nil, err
		}
		stop, err := beside(ctx, func(ctx context.Context, started func()) error {
			started()
			return peer.GapRule{URL: db.URL, Every: every, Patience: patience, After: after}.
				Run(ctx, func(p int64) { position.Settle(p) })
		})
		return &reader{insert: bed.Insert, await: position.Wait, stop: stop}, err
	}
}

// beside runs something until stop is called, and returns when it has started.
// stop returns what it failed with before.
func beside(ctx context.Context, run func(ctx context.Context, started func()) error) (stop func() error, err error) {
	ctx, cancel := context.WithCancel(ctx)
	started, done := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() {
		err := run(ctx, func() { once.Do(func() { close(started) }) })
		if ctx.Err() != nil {
			err = nil // it was stopped
		}
		done <- err
	}()
	stop = func() error {
		cancel()
		return <-done
	}
	select {
	case <-started:
		return stop, nil
	case err := <-done:
		cancel()
		return nil, fmt.Errorf("ended before it had started: %w", err)
	}
}

// eventsIn makes a database with the table events.
func eventsIn(ctx context.Context, s *contest.Stage, name string) (*bed.Database, error) {
	db, err := s.Database(ctx, name)
	if err != nil {
		return nil, err
	}
	return db, db.MakeEvents(ctx)
}

package follower

import (
	"context"
	"fmt"
	"sync"

	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

// checkReaders judges the standbys that workers read, all at a time: each may
// take a while to say that it is not there.
func (f *Follower) checkReaders(ctx context.Context, primary server.Identity) []Finding {
	if f.readers == nil {
		return nil
	}
	findings := make([]Finding, len(f.readers.all))
	var looks sync.WaitGroup
	for i, one := range f.readers.all {
		looks.Go(func() { findings[i] = f.checkReader(ctx, one.dialer, primary) })
	}
	looks.Wait()
	return findings
}

// checkReader judges one of them; it is only a warning where positions go on
// without it.
func (f *Follower) checkReader(ctx context.Context, d *server.Dialer, primary server.Identity) Finding {
	found := Finding{Name: "reader " + d.Address(), OK: true, Detail: fmt.Sprintf("it replays the primary's timeline %d", primary.Timeline)}
	if err := shows(ctx, d, primary); err != nil {
		found.OK = f.cfg.ReaderPolicy == ReaderDrop
		found.Detail = server.OneLine(err)
		found.Fix = "bring the standby back, name its own address and not a load balancer's, or take it out of database.readers"
	}
	return found
}

// shows returns nil where a server is a standby that replays the primary's history.
func shows(ctx context.Context, d *server.Dialer, primary server.Identity) error {
	conn, id, err := d.Standby(ctx)
	if err != nil {
		return err
	}
	defer server.Close(conn)
	if err := stranger(id, primary); err != nil {
		return err
	}
	_, err = replay(ctx, conn)
	return err
}

// stranger is the error of a standby that shows another history. RULES 13.
func stranger(standby, primary server.Identity) error {
	if standby.Same(primary) {
		return nil
	}
	return fmt.Errorf("it is on system %s, timeline %d, the primary on system %s, timeline %d: it does not show the primary's rows",
		standby.System, standby.Timeline, primary.System, primary.Timeline)
}

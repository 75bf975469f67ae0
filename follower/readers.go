package follower

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

const (
	// replayFirst and replayLast bound the pauses between looks at a standby
	// that something waits for; replayIdle is the pause otherwise.
	replayFirst = time.Millisecond
	replayLast  = 20 * time.Millisecond
	replayIdle  = time.Second
)

// readers hold positions back until they are visible on every standby that
// workers read. Replay up to the end of a commit record is visibility there,
// while the standby is in recovery on the primary's timeline. RULES 13.
type readers struct {
	*Follower
	all []*reader

	mu struct {
		sync.Mutex
		line
	}
	// news: something waits, or a standby has moved. room: less waits.
	news, room chan struct{}
}

// reader is one standby.
type reader struct {
	of     *readers
	dialer *server.Dialer
	work   chan struct{}

	mu struct {
		sync.Mutex
		replayed pglogrepl.LSN
		// verified: the connection is good, the standby on the primary's
		// timeline, and not behind what was published before. RULES 14.
		verified bool
		problem  string
		since    time.Time // when it stopped being verified
		dropped  bool
	}
}

func newReaders(f *Follower) (*readers, error) {
	if len(f.cfg.Readers) == 0 {
		return nil, nil
	}
	r := &readers{Follower: f, news: make(chan struct{}, 1), room: make(chan struct{}, 1)}
	r.mu.most = maxOutgoing
	for _, url := range f.cfg.Readers {
		dialer, err := server.NewStandbyDialer(url, f.cfg.ApplicationName)
		if err != nil {
			return nil, err
		}
		one := &reader{of: r, dialer: dialer, work: make(chan struct{}, 1)}
		one.mu.since, one.mu.problem = time.Now(), "it has not been reached yet"
		r.all = append(r.all, one)
	}
	return r, nil
}

// publish has o applied once every reader shows what it needs.
func (r *readers) publish(o outgoing) {
	o.at = time.Now()
	o.since = o.at
	o.size++
	r.mu.Lock()
	r.mu.add(o)
	r.mu.Unlock()
	for _, one := range r.all {
		request(one.work)
	}
	request(r.news)
}

// oldest is what of a life has waited longest; false where nothing waits.
func (r *readers) oldest(of *life) (outgoing, bool) {
	if r == nil {
		return outgoing{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.mu.waiting {
		if o.life == of {
			return o, true
		}
	}
	return outgoing{}, false
}

// behind names the standbys that a life waits for.
func (r *readers) behind(of *life) (by []Holder) {
	first, some := r.oldest(of)
	if !some || time.Since(first.since) < standing {
		return nil
	}
	state := HolderStandby
	for _, one := range r.all {
		one.mu.Lock()
		waits := !one.mu.dropped && one.mu.replayed < first.need
		one.mu.Unlock()
		if waits {
			address := one.dialer.Address()
			by = append(by, Holder{ApplicationName: &address, State: &state, Since: &first.since})
		}
	}
	return by
}

// full reports whether so much waits that nothing more should be read.
func (r *readers) full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.full()
}

// awaitRoom waits until the slot may be read on.
func (r *readers) awaitRoom(ctx context.Context) {
	for ctx.Err() == nil {
		r.mu.Lock()
		room := r.mu.hasRoom()
		r.mu.Unlock()
		if room {
			return
		}
		select {
		case <-r.room:
		case <-ctx.Done():
		}
	}
}

func (r *readers) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, one := range r.all {
		group.Go(func() error { return one.run(ctx) })
	}
	group.Go(func() error { return r.deliver(ctx) })
	return group.Wait()
}

// deliver publishes what the standbys show, in the order in which it was found.
func (r *readers) deliver(ctx context.Context) error {
	tick := time.NewTicker(patienceForFlush)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.news:
		case <-tick.C:
			r.hasten()
		}
		shown, ok := r.shown()
		if !ok {
			continue
		}
		look := false
		for _, o := range r.take(shown) {
			look = o.apply() || look
		}
		if look {
			request(r.probe)
		}
	}
}

// take removes what is shown.
func (r *readers) take(shown pglogrepl.LSN) []outgoing {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer request(r.room)
	return r.mu.take(shown)
}

// pending reports whether something waits for the standbys.
func (r *readers) pending() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.mu.waiting) > 0
}

// hasten has WAL flushed that nobody else flushes: a standby gets none before.
func (r *readers) hasten() {
	r.mu.Lock()
	long := len(r.mu.waiting) > 0 && time.Since(r.mu.waiting[0].at) > patienceForFlush
	if long {
		r.mu.waiting[0].at = time.Now()
	}
	r.mu.Unlock()
	if _, ok := r.shown(); ok && long {
		request(r.flush)
	}
}

// shown is how far every reader has replayed; false while one is not verified,
// which the streams are told of.
func (r *readers) shown() (lsn pglogrepl.LSN, ok bool) {
	lsn, ok = ^pglogrepl.LSN(0), true
	state, reason := StateFollowing, ""
	for _, one := range r.all {
		one.mu.Lock()
		switch down := time.Since(one.mu.since); {
		case one.mu.verified:
			lsn = min(lsn, one.mu.replayed)
			if one.mu.dropped {
				r.cfg.Logger.Info("standby is back: positions wait for it again", "reader", one.dialer.Address())
			}
			one.mu.dropped = false
		case down > r.cfg.ReaderTimeout && r.cfg.ReaderPolicy == ReaderDrop:
			if !one.mu.dropped {
				r.cfg.Logger.Warn("standby left out: positions are published although it may not show them", "reader", one.dialer.Address(), "reason", one.mu.problem)
			}
			one.mu.dropped = true
		default:
			ok, state = false, StateReconnecting
			reason = fmt.Sprintf("standby %s: %s", one.dialer.Address(), one.mu.problem)
			if down > r.cfg.ReaderTimeout {
				state = StateHalted
				reason += fmt.Sprintf(": publication has stopped after %s: bring it back, or take it out of database.readers", r.cfg.ReaderTimeout)
			}
		}
		one.mu.Unlock()
		if !ok {
			break
		}
	}
	if ok && r.full() {
		state, reason = StateCatchingUp, "the standbys that workers read are far behind"
	}
	for _, s := range r.streams {
		s.update(func(c *condition) { c.behind, c.behindState = reason, state })
	}
	return lsn, ok
}

// run watches one standby, one connection after the other.
func (d *reader) run(ctx context.Context) error {
	again := newRetry()
	for ctx.Err() == nil {
		g, err := d.of.ground.wait(ctx)
		if err != nil {
			return err
		}
		err = d.watch(ctx, g, again)
		if ctx.Err() != nil {
			break
		}
		d.lost(server.OneLine(err))
		d.of.pauseOn(ctx, g, again)
	}
	return ctx.Err()
}

// lost notes that nothing is known of the standby any more. One that crashed
// comes back earlier than it was.
func (d *reader) lost(problem string) {
	d.mu.Lock()
	if d.mu.verified {
		d.mu.since = time.Now()
	}
	d.mu.verified, d.mu.problem = false, problem
	d.mu.Unlock()
	request(d.of.news)
}

func (d *reader) watch(ctx context.Context, g *footing, again *retry) error {
	published := g.identity.Geometry.End(d.of.publishedLSN())
	request(d.of.flush) // what it has to replay may not be on the primary's disk yet
	conn, id, err := d.dialer.Standby(ctx)
	if err != nil {
		return err
	}
	defer server.Close(conn)
	if err := stranger(id, g.identity); err != nil {
		return err
	}
	pause := replayFirst
	for {
		replayed, err := replay(ctx, conn)
		if err != nil {
			return err
		}
		moved := d.replayed(replayed, published)
		again.succeeded()
		if pause = min(2*pause, replayLast); moved {
			pause = replayFirst
		}
		if err := d.rest(ctx, g, pause); err != nil {
			return err
		}
	}
}

// rest waits before the next look: shortly while something waits for it.
func (d *reader) rest(ctx context.Context, g *footing, pause time.Duration) error {
	if now, _ := d.of.ground.now(); now.epoch != g.epoch {
		return errGround
	}
	d.mu.Lock()
	verified := d.mu.verified
	d.mu.Unlock()
	if verified && !d.of.pending() {
		pause = replayIdle
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-d.work:
		if pause == replayIdle {
			return nil
		}
		<-timer.C
	case <-ctx.Done():
	}
	return ctx.Err()
}

// publishedLSN is the highest LSN of a published position: a standby that has
// replayed it shows all that was published. RULES 14.
func (f *Follower) publishedLSN() pglogrepl.LSN {
	var at pglogrepl.LSN
	for _, s := range f.streams {
		l := s.life.Load()
		if l.isKnown() {
			l.mu.Lock()
			at = max(at, l.mu.lsn)
			l.mu.Unlock()
		}
	}
	return at
}

// replayed notes how far the standby is.
func (d *reader) replayed(at, published pglogrepl.LSN) (moved bool) {
	d.mu.Lock()
	moved = at != d.mu.replayed
	d.mu.replayed = at
	if !d.mu.verified {
		d.mu.verified = at >= published
		d.mu.problem = fmt.Sprintf("it has replayed up to %s, positions were published at %s", at, published)
		moved = true
	}
	d.mu.Unlock()
	if moved {
		request(d.of.news)
	}
	return moved
}

func replay(ctx context.Context, conn *pgx.Conn) (pglogrepl.LSN, error) {
	ctx, cancel := context.WithTimeout(ctx, server.Patience)
	defer cancel()
	var at *int64
	var recovering bool
	err := conn.QueryRow(ctx, "SELECT pg_is_in_recovery(), (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::int8").Scan(&recovering, &at)
	switch {
	case err != nil:
		return 0, fmt.Errorf("ask how far the standby is: %w", err)
	case !recovering || at == nil:
		return 0, fmt.Errorf("it is not a standby (not in recovery)")
	}
	return pglogrepl.LSN(*at), nil
}

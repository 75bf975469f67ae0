package follower

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/fence"
	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

// fencer is the loop that settles ids by the sequences and their locks.
type fencer struct{ *Follower }

// errGround ends one session of a loop because there is another footing.
var errGround = errors.New("the server or its catalog has changed")

func (z *fencer) run(ctx context.Context) error {
	again := newRetry()
	for ctx.Err() == nil {
		g, err := z.ground.wait(ctx)
		if err != nil {
			return err
		}
		err = z.follow(ctx, g, again)
		switch {
		case ctx.Err() != nil, errors.Is(err, errGround):
			continue
		case z.fatal(err):
			return err
		}
		for _, s := range z.streams {
			s.update(func(c *condition) { c.lost = server.OneLine(err) })
		}
		request(z.review)
		z.pauseOn(ctx, g, again)
	}
	return ctx.Err()
}

// follow probes over one session, until that or the footing ends. All standing
// fences end with it: after a crash a prepared transaction holds its lock under
// another name. (DESIGN fact 2.)
func (z *fencer) follow(ctx context.Context, g *footing, again *retry) error {
	flushed := z.flushed()
	conn, id, err := z.dialer.SQL(ctx)
	if err != nil {
		return err
	}
	defer server.Close(conn)
	if err := trust(g, id, flushed); err != nil {
		request(z.review)
		return err
	}
	w := &watch{fencer: z, footing: g, id: id, conn: conn}
	var targets []fence.Target
	for i, t := range g.targets() {
		if t.Sequence.OID == 0 {
			continue // the warden says why
		}
		w.posts = append(w.posts, &watched{index: i, stream: z.streams[i], life: z.streams[i].life.Load()})
		targets = append(targets, t)
	}
	w.prober = fence.NewProber(conn, id.PID, g.catalog.DatabaseOID, targets)
	again.succeeded()
	return w.run(ctx)
}

// trust makes sure that a session is on the server that positions come from,
// and that this has not gone back behind one: flushed is what was known to be
// on disk before the session began. RULES 3 and 11.
func trust(g *footing, id server.Identity, flushed pglogrepl.LSN) error {
	if err := g.identity.Expect(id); err != nil {
		return err
	}
	if id.Insert < flushed {
		return fmt.Errorf("the server's WAL stands at %s, behind %s, where a position was published", id.Insert, flushed)
	}
	return nil
}

// flushed is the highest WAL position known to have been on disk when a
// position was published. Ask before asking a server where its WAL stands: both
// move on.
func (f *Follower) flushed() pglogrepl.LSN {
	var at pglogrepl.LSN
	for _, s := range f.streams {
		l := s.life.Load()
		l.mu.Lock()
		at = max(at, l.mu.flushed)
		l.mu.Unlock()
	}
	return at
}

// watch is one session of the fencer.
type watch struct {
	*fencer
	footing *footing
	id      server.Identity
	conn    *pgx.Conn
	prober  *fence.Prober
	posts   []*watched
	pace    fence.Pace

	unflushed time.Time // since when a fence has waited for nothing but the flush
}

// watched is one stream in it.
type watched struct {
	index  int
	stream *Stream
	life   *life
	line   fence.Line
	before int64 // the position before the probe
}

func (w *watch) run(ctx context.Context) error {
	now, changed := w.ground.now()
	if !w.footing.same(now) { // while the session was being opened
		return errGround
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	var done time.Time
	var condition fence.Condition
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
			var g *footing
			if g, changed = w.ground.now(); !w.footing.same(g) {
				return errGround
			}
			continue
		case <-w.probe:
			w.pace.Hurry()
			timer.Reset(w.pace.Floor(condition) - time.Since(done))
			continue
		case <-timer.C:
		}
		var err error
		if condition, err = w.look(ctx, condition); err != nil {
			return err
		}
		done = time.Now()
		timer.Reset(w.pace.Next(condition))
	}
}

// look takes one probe, or where all is settled a peek that may show that it is
// needed, and applies it.
func (w *watch) look(ctx context.Context, last fence.Condition) (fence.Condition, error) {
	ctx, cancel := context.WithTimeout(ctx, server.Patience)
	defer cancel()
	now := time.Now()
	for _, p := range w.posts {
		p.before = p.life.ask()
	}
	if w.quiet(last) {
		results, err := w.prober.Peek(ctx, now)
		if err != nil {
			return last, err
		}
		if !w.news(results) {
			w.lasts()
			return w.idle(results, now), nil
		}
	}
	results, err := w.prober.Probe(ctx, now)
	if err != nil {
		return last, err
	}
	w.counts.fences.Add(1)
	return w.apply(ctx, results, now)
}

// quiet reports whether the last probe found everything settled, and nothing has
// been said since.
func (w *watch) quiet(last fence.Condition) bool {
	if last.Took == 0 || last.Unsettled {
		return false
	}
	for _, p := range w.posts {
		if !p.life.isKnown() || p.stream.disowned.Load() {
			return false
		}
	}
	return true
}

// news reports whether a peek differs from the positions.
func (w *watch) news(results []fence.Result) bool {
	for i, r := range results {
		if r.Err != nil || r.Reading.Last != w.posts[i].before {
			return true
		}
	}
	return false
}

func (w *watch) idle(results []fence.Result, now time.Time) fence.Condition {
	for i, r := range results {
		p := w.posts[i]
		p.life.goesOn()
		if p.stream.announced() {
			p.life.drawn(r.Reading.Last, now)
		} else {
			p.life.reading(r.Reading.Last, &p.line, time.Time{}, nil, now)
		}
		p.stream.update(func(c *condition) { c.lost = "" }) // a lock may have gone that nothing was drawn behind
	}
	return fence.Condition{Aided: w.aided.Load(), Took: 1}
}

// apply gives each stream its reading.
func (w *watch) apply(ctx context.Context, results []fence.Result, now time.Time) (fence.Condition, error) {
	c := fence.Condition{Aided: w.aided.Load(), Took: max(w.prober.Took(), 1)}
	unflushed := false
	for i, r := range results {
		p := w.posts[i]
		if r.Err != nil {
			w.blocked(p, r.Err)
			continue
		}
		moved, unsettled, err := w.reading(ctx, p, r.Reading, now)
		if err != nil {
			return c, err
		}
		c.Moved = c.Moved || moved
		c.Unsettled = c.Unsettled || unsettled
		_, waits := p.line.Unflushed()
		unflushed = unflushed || waits
	}
	w.lasts()
	w.hasten(unflushed, now)
	return c, nil
}

// blocked notes that one stream's sequence could not be read. RULES 4 and 6.
func (w *watch) blocked(p *watched, err error) {
	if errors.Is(err, fence.ErrReplaced) {
		request(w.review)
	}
	reason := "its sequence cannot be read: " + server.OneLine(err)
	if server.Code(err) == server.CodeLockNotAvailable {
		reason = "its sequence is locked, or somebody waits to lock it (DROP, or TRUNCATE … RESTART IDENTITY): positions stand still until that ends"
	}
	p.line = fence.Line{}
	p.stream.update(func(c *condition) { c.lost = reason })
}

// reading applies one reading to one stream.
func (w *watch) reading(ctx context.Context, p *watched, r fence.Reading, now time.Time) (moved, unsettled bool, err error) {
	// RULES 4: the sequence stands below ids that were published.
	if back := r.Last < p.before; p.stream.disowned.Swap(false) || back {
		if err := w.startedOver(ctx, p, r.Last, r.Drawn, back); err != nil {
			return false, false, err
		}
	}
	p.life.goesOn()
	if p.stream.announced() {
		p.life.drawn(r.Last, now)
		p.stream.update(func(c *condition) { c.lost = "" })
		return false, false, nil
	}
	settled, done := p.line.Add(r, w.id.Geometry)
	switch {
	case done && w.readers != nil:
		w.readers.publish(outgoing{life: p.life, need: w.id.Geometry.End(settled.Seen), fence: true, apply: func() bool { p.life.settle(settled, now); return false }})
	case done:
		moved = p.life.settle(settled, now)
	case p.life.position() >= r.Last:
		// Nothing was ever drawn, or all of it has come through the slot: no
		// later fence would say more.
		p.life.becomeAt(r.Seen)
	}
	moved = moved || p.life.position() != p.before
	waiting, _ := w.readers.oldest(p.life)
	unsettled = p.life.reading(r.Last, &p.line, waiting.since, r.Holders, now) || !p.life.isKnown()
	p.stream.update(func(c *condition) { c.lost = "" })
	return moved, unsettled, nil
}

// patienceForFlush is how long WAL that nothing flushes is waited for.
// (DESIGN fact 4.)
const patienceForFlush = 250 * time.Millisecond

// hasten asks for a flush where fences have waited too long for nothing else.
func (w *watch) hasten(unflushed bool, now time.Time) {
	switch {
	case !unflushed:
		w.unflushed = time.Time{}
	case w.unflushed.IsZero():
		w.unflushed = now
	case now.Sub(w.unflushed) > patienceForFlush:
		w.unflushed = now
		request(w.flush)
	}
}

package follower

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/catalog"
	"github.com/tidemark-pg/tidemark/follower/internal/epoch"
	"github.com/tidemark-pg/tidemark/follower/internal/server"
	"github.com/tidemark-pg/tidemark/follower/internal/session"
)

const (
	// reviewEvery is how often the catalog is looked at while all is well.
	reviewEvery = 10 * time.Second
	// reviewHalted is how often while something is missing.
	reviewHalted = 2 * time.Second
	// reviewAtMost spaces reviews that others ask for.
	reviewAtMost = 200 * time.Millisecond
	// holdersEvery is how often it is asked who holds positions back.
	holdersEvery = 500 * time.Millisecond
)

// warden is the loop that keeps the footing: which server and history, whether
// everything the streams need is there, and who holds positions back.
type warden struct {
	*Follower
	conn     *pgx.Conn
	reviewed time.Time
	healthy  bool
	missing  map[missingWriter]bool // at the last look
	unkept   string                 // why positions are not kept, as it was said
}

func (w *warden) run(ctx context.Context) error {
	again := newRetry()
	for ctx.Err() == nil {
		err := w.serve(ctx, again)
		if ctx.Err() != nil {
			break
		}
		if w.fatal(err) {
			return err
		}
		for _, s := range w.streams {
			s.update(func(c *condition) { c.waiting = server.OneLine(err) })
		}
		again.pause(ctx)
	}
	return ctx.Err()
}

// serve works over one session until that fails.
func (w *warden) serve(ctx context.Context, again *retry) error {
	w.dialer.Survey(ctx)
	flushed := w.flushed()
	conn, id, err := w.dialer.SQL(ctx)
	if err != nil {
		return err
	}
	w.conn = conn
	defer server.Close(conn)
	if err := w.establish(ctx, id, flushed); err != nil {
		return err
	}
	again.succeeded()
	return w.tend(ctx)
}

// tend waits for what there is to do.
func (w *warden) tend(ctx context.Context) error {
	holders := time.NewTicker(holdersEvery)
	defer holders.Stop()
	for {
		due := reviewEvery
		if !w.healthy {
			due = reviewHalted
		}
		timer := time.NewTimer(time.Until(w.reviewed.Add(due)))
		var err error
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-timer.C:
			w.dialer.Survey(ctx)
			err = w.again(ctx)
		case <-w.review:
			sleep(ctx, time.Until(w.reviewed.Add(reviewAtMost)))
			err = w.again(ctx)
		case <-w.flush:
			err = w.force(ctx)
		case <-holders.C:
			err = w.nameHolders(ctx)
		}
		timer.Stop()
		if err != nil {
			return err
		}
	}
}

func (w *warden) ask(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, server.Patience)
}

// force flushes the WAL: a fence has waited for that alone. RULES 9.
func (w *warden) force(ctx context.Context) error {
	ctx, cancel := w.ask(ctx)
	defer cancel()
	return session.ForceFlush(ctx, w.conn)
}

// again looks anew at server and catalog.
func (w *warden) again(ctx context.Context) error {
	asking, cancel := w.ask(ctx)
	defer cancel()
	flushed := w.flushed()
	id, err := server.IdentifyAgain(asking, w.conn)
	if err != nil {
		return err
	}
	if w.dialer.Outdated(id) {
		return fmt.Errorf("the server is on timeline %d, and a primary on a newer one has been reached", id.Timeline)
	}
	return w.establish(ctx, id, flushed)
}

// establish lays the footing that the other loops stand on. flushed is what was
// known to be on disk before the server was asked for its identity.
func (w *warden) establish(ctx context.Context, id server.Identity, flushed pglogrepl.LSN) error {
	looking, cancel := context.WithTimeout(ctx, 2*server.Patience)
	defer cancel()
	before, _ := w.ground.now()
	e, err := w.epoch(looking, id, before)
	if err != nil {
		return err
	}
	if before != nil {
		if before.epoch.System == e.System && e.Compare(before.epoch) < 0 {
			return fmt.Errorf("the server is on an older history (%s) than the one that was followed (%s): it will not be followed", e, before.epoch)
		}
		if e == before.epoch && id.Insert < flushed {
			e.Rewinds = before.epoch.Rewinds + 1
			w.cfg.Logger.Error("the server's WAL stands behind a published position: it was restored from an earlier state; a new epoch begins",
				"wal", id.Insert.String(), "published", flushed.String())
		}
	}
	passed := w.passed.Load()
	snapshot, err := catalog.Inspect(looking, w.conn, w.spec)
	if err != nil {
		return fmt.Errorf("look at the catalog: %w", err)
	}
	if err := judgeAhead(looking, w.conn, snapshot); err != nil {
		return err
	}
	w.reviewed = time.Now()
	if problem := unmet(snapshot); problem != nil && !w.followed.Load() {
		return problem
	}
	g := &footing{identity: id, epoch: e, catalog: snapshot}
	kept, err := w.recall(looking, before, g)
	if err != nil {
		return err
	}
	g.enrolled = w.enrolled()
	if err := w.lay(g, kept); err != nil {
		return err
	}
	w.serveKept(ctx, g, kept)
	if w.healthy && g.same(before) {
		w.trusted.Store(passed)
	}
	return w.reread(looking, g)
}

// epoch finds out the history. Over a replication connection the server tells
// where its timeline began; a role that may not open one does without.
func (w *warden) epoch(ctx context.Context, id server.Identity, before *footing) (epoch.Epoch, error) {
	if before != nil && before.identity.SameServer(id) {
		return before.epoch, nil
	}
	e := epoch.Epoch{System: id.System, Timeline: id.Timeline}
	if id.Timeline > 1 {
		var err error
		if e, err = w.history(ctx, e); err != nil {
			return epoch.Epoch{}, err
		}
	}
	if before != nil && e.System == before.epoch.System && e.Compare(before.epoch) == 0 {
		e.Rewinds = before.epoch.Rewinds // a restart takes nothing back
	}
	return e, nil
}

// history completes the epoch of a timeline that has a history.
func (w *warden) history(ctx context.Context, bare epoch.Epoch) (epoch.Epoch, error) {
	conn, err := w.dialer.Replication(ctx)
	if err != nil {
		if w.cfg.Slot.Kind == SlotNone && server.Refused(err) {
			return bare, nil
		}
		return epoch.Epoch{}, err
	}
	defer server.CloseReplication(conn)
	return epoch.Read(ctx, conn, bare.System, bare.Timeline)
}

// lay tells the streams what the new footing means to them, and then the loops.
func (w *warden) lay(g *footing, all []kept) error {
	var problems error
	w.healthy = true
	for i, s := range w.streams {
		if err := w.begin(g, i, w.bornAt(g, all, i)); err != nil {
			problems = errors.Join(problems, err)
		}
		reason := g.problem(i)
		w.healthy = w.healthy && reason == ""
		s.update(func(c *condition) { c.halted, c.waiting = reason, "" })
	}
	w.healthy = w.healthy && g.sessionProblem() == ""
	if problems != nil {
		return problems
	}
	w.ground.lay(g)
	return nil
}

// bornAt is the WAL position up to which rows say nothing in a life of stream i
// that begins now: the one that is kept with it. Where none is kept, nothing
// tells whether the ids have started over since a permanent slot was read last:
// then all that it holds may be of the old ones.
func (w *warden) bornAt(g *footing, all []kept, i int) pglogrepl.LSN {
	switch {
	case all != nil:
		return all[i].lsn
	case w.cfg.Slot.Kind == SlotPermanent && w.streams[i].Epoch() == "":
		return g.identity.Insert
	}
	return 0
}

// begin gives stream i the life that the footing calls for.
func (w *warden) begin(g *footing, i int, born pglogrepl.LSN) error {
	s := w.streams[i]
	if g.catalog.Streams[i].SequenceOID == 0 {
		return nil // it keeps what it had, until there is a sequence again
	}
	want, have := w.epochOf(g, i), s.Epoch()
	if want == have {
		return nil
	}
	if have != "" {
		w.cfg.Logger.Error("the epoch has changed: positions of the old one mean nothing any more",
			"stream", s.name, "was", have, "is", want, "position", s.CurrentToken())
		w.counts.resyncs.Add(1)
	}
	return s.startOver(want, w.floorOf(g, i, have), born)
}

// floorOf is the id from which on rows are news in the next life of stream i:
// where ids have started over, all of them; where only the history of the
// primary is another, those that had not been decoded.
func (w *warden) floorOf(g *footing, i int, have string) int64 {
	before, _ := w.ground.now()
	switch {
	case have == "" || before == nil:
		return -1
	case g.targets()[i].Sequence != before.targets()[i].Sequence:
		return 0
	}
	l := w.streams[i].life.Load()
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(l.mu.floor, -1)
}

// epochOf is the epoch of stream i on a footing: the primary's history, the
// sequence's identity, and how often its ids have started over besides.
func (f *Follower) epochOf(g *footing, i int) string {
	return f.epochWith(g, i, f.streams[i].nonce.Load())
}

// epochWith is epochOf with a nonce that need not be the stream's yet; nil: none.
func (f *Follower) epochWith(g *footing, i int, nonce *string) string {
	c := g.catalog.Streams[i]
	e := epoch.Stream{Epoch: g.epoch, Sequence: c.SequenceOID, Filenode: c.SequenceFilenode}
	if nonce != nil {
		// It is drawn anew for whatever the counters below count.
		e.Rewinds, e.Mark = 0, *nonce
	} else if n := f.streams[i].restarts.Load(); n > 0 {
		e.Mark = strconv.FormatUint(n, 10)
	}
	return e.String()
}

// problem is why stream i is halted; "" where nothing is missing.
func (g *footing) problem(i int) string {
	if p := g.catalog.Streams[i].Problem; p != nil {
		return p.Detail + ": to mend it: " + p.Fix
	}
	for _, f := range g.catalog.Findings {
		all := f.Scope == catalog.ScopeServer || f.Scope == catalog.ScopeSlot
		if !f.OK && all && !f.Transient && f.Name != standbyNames {
			return f.Detail + ": to mend it: " + f.Fix
		}
	}
	return ""
}

// sessionProblem is why the slot cannot be read now, although the streams may
// go on from the fence; "" where it can.
func (g *footing) sessionProblem() string {
	for _, f := range g.catalog.Findings {
		all := f.Scope == catalog.ScopeServer || f.Scope == catalog.ScopeSlot
		if !f.OK && all && !f.Transient {
			return f.Detail
		}
	}
	return ""
}

package follower

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/catalog"
	"github.com/tidemark-pg/tidemark/follower/internal/gate"
	"github.com/tidemark-pg/tidemark/follower/internal/server"
	"github.com/tidemark-pg/tidemark/follower/internal/session"
)

// busyAgain is how often a standby asks for the slot.
const busyAgain = 200 * time.Millisecond

// sessions is the loop that reads the slot, one session after the other.
type sessions struct {
	*Follower
	resync bool     // what the slot holds could not be decoded: skip it
	drawn  string   // the name of the temporary slot, where it is ours to choose
	left   *footing // what the slot holds was meant for this one: skip it
	said   repeated
}

func (z *sessions) run(ctx context.Context) error {
	again := newRetry()
	for ctx.Err() == nil {
		g, err := z.ground.wait(ctx)
		if err != nil {
			return err
		}
		if problem := g.sessionProblem(); problem != "" {
			z.reached.Store(true)
			z.unread(StateHalted, problem)
			z.say("the slot cannot be read; positions come from the fence alone", problem)
			z.resync = true
			z.another(ctx, g)
			continue
		}
		if z.readers != nil {
			z.readers.awaitRoom(ctx)
		}
		err = z.read(ctx, g, again)
		if ctx.Err() != nil || errors.Is(err, errGround) {
			continue
		}
		if z.fatal(err) {
			return err
		}
		z.failed(ctx, g, err, again)
	}
	return ctx.Err()
}

// publications are those that the session reads.
func (z *sessions) publications(g *footing) []string {
	if g.positions() == nil {
		return []string{z.cfg.Publication}
	}
	return []string{z.cfg.Publication, z.cfg.Publication + "_positions"}
}

// unread tells the announced streams that nothing comes from the slot; they
// cannot go on without it.
func (z *sessions) unread(state State, reason string) {
	for _, s := range z.streams {
		if s.announced() {
			s.update(func(c *condition) { c.unread, c.unreadState = reason, state })
		}
	}
}

// say logs a failure once, however often it is repeated.
func (z *sessions) say(message, reason string) {
	if z.said.worth(time.Now(), message, reason) {
		z.cfg.Logger.Warn(message, "slot", z.slot(), "reason", reason)
	}
}

// slot is the name of the slot that is read now.
func (z *sessions) slot() string { return cmp.Or(z.drawn, z.cfg.Slot.Name) }

// another waits until there is a footing that differs from g in what keeps the
// session from reading.
func (z *sessions) another(ctx context.Context, g *footing) {
	z.ground.until(ctx, func(now *footing) bool {
		return !g.same(now) || now.sessionProblem() != g.sessionProblem()
	})
}

// read runs one session on a footing; it ends with errGround where there is
// another, or the ids of a stream have started over: the next session reads for
// the stream's new life. RULES 4.
func (z *sessions) read(ctx context.Context, g *footing, again *retry) error {
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		z.another(inner, g)
		cancel(z.elsewhere(g))
	}()
	go func() {
		select {
		case <-z.reload:
			cancel(errRowsGone)
		case <-inner.Done():
		}
	}()
	l := &listener{sessions: z, footing: g, again: again, stop: cancel}
	for _, s := range z.streams {
		life := s.life.Load()
		l.lives = append(l.lives, life)
		go life.whenOver(inner, func() { cancel(errGround) })
	}
	defer l.followUps.Wait()
	defer cancel(nil)
	err := session.Run(inner, session.Config{
		Dialer:   z.dialer,
		Identity: g.identity,
		Standby:  z.decodes,
		Epoch:    g.epoch,
		Slot: session.Slot{
			Name: z.slot(), Temporary: z.cfg.Slot.Kind == SlotTemporary,
			Failover: z.cfg.Slot.Failover, SkipAhead: z.cfg.Slot.SkipAhead,
		},
		Publications: z.publications(g),
		Routes:       g.routes(),
		Positions:    g.positions(),
		// Announced streams are loaded anew: a registration or a withdrawal
		// that is sent again would be taken for a new one. RULES 20.
		Resync: z.resync || z.outgrown(g) || g.positions() != nil,
		Matches: func(setting string) bool {
			return catalog.MatchesStandbyNames(setting, z.dialer.ApplicationName())
		},
		Log:      z.cfg.Logger,
		Receiver: l,
	})
	z.aided.Store(false)
	request(z.probe) // without the slot the fence must look more often
	cause := context.Cause(inner)
	switch {
	case errors.Is(cause, errGround):
		z.left = g
		return errGround
	case errors.Is(cause, errServer):
		return errGround
	}
	if cause != nil && ctx.Err() == nil {
		return cause
	}
	return err
}

// errServer ends a session whose server has been restarted: what the slot holds
// is as good as before.
var errServer = errors.New("the server has been restarted")

// elsewhere is why a session on footing g has to end, where there is another.
func (z *sessions) elsewhere(g *footing) error {
	if now, _ := z.ground.now(); g.alike(now) && !g.same(now) {
		return errServer
	}
	return errGround
}

// outgrown reports whether what the slot holds was written for a footing that
// has been left: tables or ids were others then, and need not be decoded. Where
// only the primary is another, and the slot has come along, it is read on.
func (z *sessions) outgrown(g *footing) bool {
	return z.left != nil && z.left.identity.Same(g.identity)
}

// failed decides what to do about the end of a session.
func (z *sessions) failed(ctx context.Context, g *footing, err error, again *retry) {
	var busy *session.BusyError
	var waited *session.SynchronousError
	var lacks *session.RequirementError
	if z.unnamed && server.Code(err) == server.CodeDuplicateObject {
		z.drawn = temporaryName() // the server has not noticed that the last session is over
	}
	if !errors.As(err, &busy) {
		z.counts.reconnects.Add(1)
		z.standby("")
	}
	switch {
	case errors.As(err, &busy):
		z.reached.Store(true)
		z.say("standby: the slot is read by another process; taking over when it goes", busy.Error())
		z.standby(busy.Error())
		sleep(ctx, busyAgain)
		return
	case errors.As(err, &waited):
		z.reached.Store(true)
		z.unread(StateHalted, waited.Error())
		z.say("disconnected from the slot so that writers do not wait for it", waited.Error())
		z.release(ctx)
		request(z.review)
	case errors.As(err, &lacks):
		z.resync = true
		z.say("the slot sends rows that cannot be understood", lacks.Error())
		z.lacking(lacks)
		request(z.review)
	default:
		z.unread(StateReconnecting, server.OneLine(err))
		z.resync = z.resync || undecodable(err)
		z.say("reading the slot failed; trying again", server.OneLine(err))
		request(z.review)
	}
	z.pauseOn(ctx, g, again)
}

// lacking halts the streams whose rows cannot be understood, until the warden
// has looked at the catalog: the announced ones where it is their positions.
func (z *sessions) lacking(err *session.RequirementError) {
	for i, s := range z.streams {
		if i == err.Stream || err.Stream < 0 && s.announced() {
			s.update(func(c *condition) { c.halted = err.Error() })
		}
	}
}

// undecodable reports whether reading the same WAL again would fail again: our
// decoder did not understand it, or the server's could not make sense of it
// with the catalog as it was then. RULES 10.
func undecodable(err error) bool {
	var decode *session.DecodeError
	if errors.As(err, &decode) {
		return true
	}
	code := server.Code(err)
	if len(code) < 2 {
		return false
	}
	switch code[:2] {
	case "08", "53", "57", "28": // connection, resources, shutdown, credentials
		return false
	}
	return code != server.CodeObjectInUse
}

// standby shows, or ends, that another process reads the slot.
func (z *sessions) standby(reason string) {
	for _, s := range z.streams {
		s.update(func(c *condition) { c.standby = reason })
	}
}

// release wakes the writers that already wait for us. RULES 1.
func (z *sessions) release(ctx context.Context) {
	conn, _, err := z.dialer.SQL(ctx)
	if err == nil {
		err = session.Release(ctx, conn)
		server.Close(conn)
	}
	if err != nil && ctx.Err() == nil {
		z.cfg.Logger.Warn("waking writers that wait for Tidemark as a standby failed", "reason", server.OneLine(err))
	}
}

// errStandbysBehind ends a session that finds out more than can be published.
var errStandbysBehind = errors.New("the standbys that workers read are far behind: the slot waits for them")

// listener takes what one session finds out.
type listener struct {
	*sessions
	footing *footing
	lives   []*life
	again   *retry
	// followUps finish loading what was being registered when it was loaded.
	followUps sync.WaitGroup
	stop      context.CancelCauseFunc
}

// Visible gives each stream its part of a batch, and asks the fence to look
// where ids are missing.
func (l *listener) Visible(commits []gate.Commit, seen pglogrepl.LSN) {
	now := time.Now()
	gap := false
	for i, life := range l.lives {
		gap = life.visible(commits, i, seen, now, l.readers) || gap
	}
	if gap {
		request(l.probe)
	}
	if l.readers != nil && l.readers.full() {
		l.stop(errStandbysBehind)
	}
}

// Phase notes how far the session has come.
func (l *listener) Phase(p session.Phase) {
	switch p.Step {
	case session.Connecting:
		return
	case session.Streaming:
		l.aided.Store(true)
		l.resync, l.left = false, nil
		l.said.over()
		l.again.succeeded()
		l.standby("")
		l.unread(StateFollowing, "")
		l.cfg.Logger.Info("reading the slot", "slot", l.slot())
	case session.Creating, session.Skipping:
		l.standby("") // nobody reads it, and loading can take long
		if !p.Again {
			l.cfg.Logger.Info(p.Detail)
		}
		l.unread(StateReconnecting, p.Detail)
	}
	l.reached.Store(true)
	if p.Step == session.Streaming {
		l.lasts() // and not at the next look of the fence: what the slot sends may ask for a review
	}
	request(l.probe)
}

// Passed notes how far commits have been decoded and found visible.
func (l *listener) Passed(lsn pglogrepl.LSN) { l.passed.Store(max(l.passed.Load(), uint64(lsn))) }

// Jumped loads the newest id of each writer among the rows that the slot will
// not send: nobody's newest row may be missing for good.
func (l *listener) Jumped(ctx context.Context, conn *pgx.Conn) error {
	for i, life := range l.lives {
		if l.footing.catalog.Streams[i].Problem != nil {
			continue
		}
		if l.streams[i].announced() {
			if err := l.loadAnnounced(ctx, conn, i); err != nil {
				return err
			}
			continue
		}
		if floor, some := life.decoded(pglogrepl.LSN(l.trusted.Load())); some {
			if err := l.loadWriters(ctx, conn, i, floor); err != nil {
				return err
			}
		}
	}
	return nil
}

// loadAnnounced loads stream i, and what is being registered in the background
// as soon as that has ended.
func (l *listener) loadAnnounced(ctx context.Context, conn *pgx.Conn, i int) error {
	l.streams[i].update(func(c *condition) { c.unread = "its positions and rows are being loaded" })
	registering, err := l.loader(i, conn, func(words string) { l.waitFor(i, words) }).first(ctx)
	if err != nil {
		return err
	}
	l.streams[i].update(func(c *condition) { c.unread = "" })
	l.lives[i].become()
	if len(registering) == 0 {
		return nil
	}
	l.followUps.Go(func() {
		if err := l.finishLoading(ctx, i, registering); err != nil && ctx.Err() == nil {
			l.cfg.Logger.Warn("loading a stream could not be finished: its position goes no further than what had been drawn",
				"stream", l.streams[i].name, "reason", server.OneLine(err))
			l.stop(err)
		}
	})
	return nil
}

func (l *listener) finishLoading(ctx context.Context, i int, registering []string) error {
	conn, err := l.onFooting(ctx, l.footing)
	if err != nil {
		return err
	}
	defer server.Close(conn)
	return l.loader(i, conn, func(string) {}).second(ctx, registering) // what was loaded first is published
}

package follower

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

// surveyEvery spaces the loads of announced streams where no slot is read.
const surveyEvery = time.Second

// surveys follow announced streams where no slot is to be read: what a session
// does once, at its beginning, they do again and again.
type surveys struct{ *Follower }

func (v *surveys) run(ctx context.Context) error {
	if !slices.ContainsFunc(v.streams, (*Stream).announced) {
		return nil
	}
	again := newRetry()
	for ctx.Err() == nil {
		g, err := v.ground.wait(ctx)
		if err != nil {
			return err
		}
		if err := v.look(ctx, g); err != nil && ctx.Err() == nil {
			(&sessions{Follower: v.Follower}).unread(StateReconnecting, server.OneLine(err))
			v.pauseOn(ctx, g, again)
			continue
		}
		again.succeeded()
		sleep(ctx, surveyEvery)
	}
	return ctx.Err()
}

// look loads every announced stream that lacks nothing.
func (v *surveys) look(ctx context.Context, g *footing) error {
	conn, err := v.Follower.onFooting(ctx, g)
	if err != nil {
		return err
	}
	defer server.Close(conn)
	l := &listener{sessions: &sessions{Follower: v.Follower}, footing: g}
	for _, s := range v.streams {
		l.lives = append(l.lives, s.life.Load())
	}
	for i, s := range v.streams {
		if !s.announced() || g.problem(i) != "" {
			continue
		}
		if err := v.load(ctx, l.loader(i, conn, l.untilKnown(i))); err != nil {
			return err
		}
		s.update(func(c *condition) { c.unread = "" })
	}
	return nil
}

// untilKnown shows how far the first load of stream i is, which its position
// waits for; later ones are but looks.
func (l *listener) untilKnown(i int) (tell func(words string)) {
	if l.lives[i].isKnown() {
		return nil
	}
	return l.streams[i].loading
}

func (v *surveys) load(ctx context.Context, o loader) error {
	registering, err := o.first(ctx)
	if err != nil {
		return err
	}
	o.lives[o.index].become()
	if len(registering) == 0 {
		return nil
	}
	return o.second(ctx, registering)
}

// onFooting opens a session on the server that the footing stands on.
func (f *Follower) onFooting(ctx context.Context, g *footing) (*pgx.Conn, error) {
	conn, id, err := f.dialer.SQL(ctx)
	if err != nil {
		return nil, err
	}
	if err := g.identity.Expect(id); err != nil {
		server.Close(conn)
		return nil, err
	}
	return conn, nil
}

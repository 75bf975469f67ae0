package cli

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/tidemark-pg/tidemark/follower/slots"
	"github.com/tidemark-pg/tidemark/internal/client"
)

const (
	// redraw spaces two pictures: a terminal shows no more.
	redraw = 100 * time.Millisecond
	// refresh is how often the picture is drawn where nothing moves: ages grow.
	refresh = time.Second
	// slotsEvery is how often the daemon looks at the slots itself.
	slotsEvery = 5 * time.Second
)

// screen draws one daemon on a terminal until its context ends.
type screen struct {
	client *client.Client
	out    io.Writer

	trends map[string]*trend
	slots  []slots.Slot
	asked  time.Time // when the slots were
}

func newScreen(c *client.Client, out io.Writer) *screen {
	return &screen{client: c, out: out, trends: make(map[string]*trend)}
}

// run draws a picture after each event, and once a second.
func (s *screen) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	moved := make(chan struct{}, 1)
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		s.listen(ctx, moved)
	}()
	defer func() { cancel(); <-listening }()
	if _, err := io.WriteString(s.out, "\x1b[2J"); err != nil { // what was there before
		return err
	}
	for {
		if err := s.draw(ctx); err != nil {
			return err
		}
		pause(ctx, redraw)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
		case <-time.After(refresh):
		}
	}
}

// listen tells of every event; a daemon that has gone is waited for.
func (s *screen) listen(ctx context.Context, moved chan<- struct{}) {
	for ctx.Err() == nil {
		// Why it ended the next picture shows, which asks the daemon too.
		_ = s.client.Events(ctx, func(client.Event) {
			select {
			case moved <- struct{}{}:
			default:
			}
		})
		pause(ctx, again)
	}
}

// draw draws what the daemon tells now, or why there is nothing to draw.
func (s *screen) draw(ctx context.Context) error {
	streams, err := s.client.Streams(ctx)
	now := time.Now()
	text := ""
	columns, rows := terminalSize(s.out)
	if err == nil {
		err = s.ask(ctx, now)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		text = printable(oneLine(err)) + "\n"
	default:
		s.note(streams, now)
		text = picture(streams, s.trends, s.slots, now, columns)
	}
	// Home, the picture, and away with what is left of the one before.
	const home, clearToEnd, clearBelow = "\x1b[H", "\x1b[K\n", "\x1b[J"
	text = fit(now.Format(time.TimeOnly)+"\n\n"+text, columns, rows)
	text = strings.ReplaceAll(text, "\n", clearToEnd)
	_, err = io.WriteString(s.out, home+text+clearBelow)
	return err
}

// ask asks for the slots where those at hand are old. That the daemon cannot
// tell of them, for want of a right or for a moment, does not hide the streams.
func (s *screen) ask(ctx context.Context, now time.Time) error {
	if now.Sub(s.asked) < slotsEvery {
		return nil
	}
	found, err := s.client.Slots(ctx)
	if problem := (*client.Problem)(nil); err != nil && !errors.As(err, &problem) {
		return err
	}
	s.slots, s.asked = found, now
	return nil
}

// note keeps what the streams' trends are drawn from.
func (s *screen) note(streams []client.Stream, now time.Time) {
	for _, one := range streams {
		t := s.trends[one.Name]
		if t == nil {
			t = &trend{}
			s.trends[one.Name] = t
		}
		t.add(now, one)
	}
}

package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
)

// Event is a move of a stream's position, or a change of its state.
type Event struct {
	Stream string `json:"stream"`
	// Position is set for a move, State and Reason for a change of state.
	Position *int64         `json:"position"`
	State    follower.State `json:"state"`
	Reason   string         `json:"reason"`
}

const (
	// silence is how long the daemon may say nothing; it has a heartbeat of 15 s.
	silence = 45 * time.Second
	// maxLine bounds one line of an event.
	maxLine = 8 << 20
)

// errSilent ends events of a daemon that says nothing any more.
var errSilent = errors.New("it has said nothing for too long")

// Events tells first the present state of every stream, then every change,
// conflated, until ctx ends or the daemon cannot be heard any more, which is
// the error. Events of types not known here are left out.
func (c *Client) Events(ctx context.Context, tell func(Event)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	alarm := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer alarm.Stop()
	res, err := c.get(ctx, "/v1/events")
	if err != nil {
		return err
	}
	defer drop(res)
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, maxLine)
	kind := ""
	for lines.Scan() {
		alarm.Reset(silence)
		if kind, err = c.line(lines.Text(), kind, tell); err != nil {
			return err
		}
	}
	if err = lines.Err(); err == nil {
		err = errors.New("it has ended the connection")
	}
	return c.unreachable(ctx, err)
}

// line takes one line of an event of that kind, and returns the kind that the
// next line belongs to. The daemon writes one data line an event.
func (c *Client) line(text, kind string, tell func(Event)) (string, error) {
	field, value, _ := strings.Cut(text, ":")
	value = strings.TrimPrefix(value, " ")
	switch {
	case text == "":
		return "", nil
	case field == "event":
		return value, nil
	case field != "data" || kind != "position" && kind != "state":
		return kind, nil
	}
	var e Event
	if err := json.Unmarshal([]byte(value), &e); err != nil {
		return kind, fmt.Errorf("read an event of %s: %w", c.base, err)
	}
	tell(e)
	return kind, nil
}

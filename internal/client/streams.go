package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/slots"
)

// Stream is what the daemon tells of a stream. A nil pointer is unknown.
type Stream struct {
	Name      string            `json:"name"`
	Position  *int64            `json:"position"`
	Allocated *int64            `json:"allocated"`
	State     follower.State    `json:"state"`
	Reason    string            `json:"reason"`
	HeldBy    []follower.Holder `json:"held_by"`
	LateRows  uint64            `json:"late_rows"`
}

// StreamsJSON returns the body of /v1/streams as the daemon sent it, without
// space around it.
func (c *Client) StreamsJSON(ctx context.Context) ([]byte, error) {
	return c.body(ctx, "/v1/streams", patience)
}

// Streams returns every stream in the order of the daemon's configuration.
func (c *Client) Streams(ctx context.Context) ([]Stream, error) {
	var all struct{ Streams []Stream }
	err := c.read(ctx, "/v1/streams", &all)
	return all.Streams, err
}

// Slots returns every logical slot of the server that the daemon follows.
func (c *Client) Slots(ctx context.Context) ([]slots.Slot, error) {
	var all struct{ Slots []slots.Slot }
	err := c.read(ctx, "/v1/slots", &all)
	return all.Slots, err
}

// read asks for a path and reads its answer into one that JSON fits into.
func (c *Client) read(ctx context.Context, path string, into any) error {
	body, err := c.body(ctx, path, patience)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("read the answer of %s: %w", c.base, err)
	}
	return nil
}

// Target is what to wait for.
type Target struct {
	// Stream and the Position that must be covered.
	Stream   string
	Position int64
	// Writer, unless nil, is the writer that the position is of.
	Writer *string
	// Epoch, unless empty, is the only one in which the position means anything.
	Epoch string
}

// maxWait is the longest wait that a daemon accepts.
const maxWait = 5 * time.Minute

// Wait returns as soon as the target is reached, or after timeout, which may be
// longer than the daemon accepts for one request. The Stream is as it was then.
func (c *Client) Wait(ctx context.Context, t Target, timeout time.Duration) (now Stream, reached bool, err error) {
	end := time.Now().Add(timeout)
	for {
		part := min(max(time.Until(end), 0), maxWait)
		now, reached, err = c.waitOnce(ctx, t, part)
		if err != nil || reached || !time.Now().Before(end) {
			return now, reached, err
		}
	}
}

func (c *Client) waitOnce(ctx context.Context, t Target, timeout time.Duration) (Stream, bool, error) {
	q := url.Values{"position": {strconv.FormatInt(t.Position, 10)}, "timeout": {timeout.String()}}
	if t.Writer != nil {
		q.Set("writer", *t.Writer)
	}
	if t.Epoch != "" {
		q.Set("epoch", t.Epoch)
	}
	body, err := c.body(ctx, "/v1/streams/"+url.PathEscape(t.Stream)+"/wait?"+q.Encode(), timeout+patience)
	if err != nil {
		return Stream{}, false, err
	}
	var answer struct {
		Stream
		Reached bool `json:"reached"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return Stream{}, false, fmt.Errorf("read the answer of %s: %w", c.base, err)
	}
	return answer.Stream, answer.Reached, nil
}

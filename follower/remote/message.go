package remote

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"

	"github.com/tidemark-pg/tidemark/follower"
)

// position is a stream's position as a daemon told it.
type position struct {
	at      int64
	writers map[string]int64
	epoch   string
	lsn     pglogrepl.LSN
}

// standing is a stream's state at its daemon.
type standing struct {
	state  follower.State
	reason string
}

// look is what a daemon answers besides.
type look struct {
	allocated          *int64
	heldBy             []follower.Holder
	movedAt, checkedAt time.Time
	lateRows           uint64
}

// message is something that a daemon told of a stream: any of its parts. told
// says that it came as an event, in the order in which it happened.
type message struct {
	stream   *Stream
	told     bool
	position *position
	standing *standing
	look     *look
}

// data is the JSON of the events and of the answer to a look: a part of it
// that is null or missing is not known.
type data struct {
	Stream    string            `json:"stream"` // in an event
	Name      string            `json:"name"`   // in an answer
	Position  *int64            `json:"position"`
	Writers   map[string]int64  `json:"writers"`
	Epoch     *string           `json:"epoch"`
	LSN       *string           `json:"lsn"`
	State     follower.State    `json:"state"`
	Reason    string            `json:"reason"`
	Allocated *int64            `json:"allocated"`
	HeldBy    []follower.Holder `json:"held_by"`
	MovedAt   time.Time         `json:"moved_at"`
	CheckedAt time.Time         `json:"checked_at"`
	LateRows  uint64            `json:"late_rows"`
}

// readEvent returns what an event says; nil where its type, or its stream, is
// none of ours.
func (f *Follower) readEvent(e event) (*message, error) {
	if e.kind != "position" && e.kind != "state" {
		return nil, nil
	}
	var d data
	if err := json.Unmarshal(e.data, &d); err != nil {
		return nil, fmt.Errorf("read a %s event: %w", e.kind, err)
	}
	s, ok := f.Stream(d.Stream)
	if !ok {
		return nil, nil
	}
	m := &message{stream: s, told: true}
	if e.kind == "state" {
		m.standing = &standing{state: follower.State(oneLine(string(d.State))), reason: oneLine(f.asker.redact(d.Reason))}
		return m, nil
	}
	var err error
	if m.position, err = d.position(); err == nil && m.position == nil {
		err = errors.New("it has none")
	}
	if err != nil {
		return nil, fmt.Errorf("read a position event: %w", err)
	}
	return m, nil
}

// readAnswer returns what an answer says of the stream that was asked about.
func readAnswer(body []byte, s *Stream) (*message, error) {
	var d data
	if err := json.Unmarshal(body, &d); err != nil {
		return nil, err
	}
	if d.Name != s.name {
		return nil, errors.New("it is about another stream")
	}
	p, err := d.position()
	if err != nil {
		return nil, err
	}
	return &message{stream: s, position: p, look: &look{
		allocated: d.Allocated, heldBy: d.HeldBy, movedAt: d.MovedAt, checkedAt: d.CheckedAt, lateRows: d.LateRows,
	}}, nil
}

// position is nil where none is known yet.
func (d *data) position() (*position, error) {
	if d.Position == nil || d.Epoch == nil {
		return nil, nil
	}
	if *d.Epoch == "" {
		return nil, errors.New("the epoch is empty")
	}
	p := &position{at: *d.Position, writers: d.Writers, epoch: *d.Epoch}
	if d.LSN != nil {
		lsn, err := pglogrepl.ParseLSN(*d.LSN)
		if err != nil {
			return nil, errors.New("the lsn is none")
		}
		p.lsn = lsn
	}
	return p, nil
}

// sign is the direction that a message shows: 1, -1, or 0 where it has no id.
func (m *message) sign() int {
	if m.position != nil {
		if s := signOf(m.position.at); s != 0 {
			return s
		}
		for _, id := range m.position.writers {
			if s := signOf(id); s != 0 {
				return s
			}
		}
	}
	if m.look != nil && m.look.allocated != nil {
		return signOf(*m.look.allocated)
	}
	return 0
}

func signOf(id int64) int {
	switch {
	case id > 0:
		return 1
	case id < 0:
		return -1
	}
	return 0
}

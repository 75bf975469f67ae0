package webtest

import (
	"bufio"
	"io"
	"strings"
)

// Event is one server-sent event, or a comment.
type Event struct {
	Type, ID, Data, Retry string
	Comment               string // set alone
}

// Events reads server-sent events.
type Events struct{ lines *bufio.Reader }

// NewEvents reads from a response's body.
func NewEvents(r io.Reader) *Events { return &Events{lines: bufio.NewReaderSize(r, 64<<10)} }

// Next returns the next event or comment, or the error that ended the stream.
func (e *Events) Next() (Event, error) {
	var ev Event
	for {
		line, err := e.lines.ReadString('\n')
		if err != nil {
			return Event{}, err
		}
		line = strings.TrimSuffix(line, "\n")
		if comment, ok := strings.CutPrefix(line, ":"); ok {
			return Event{Comment: strings.TrimPrefix(comment, " ")}, nil
		}
		if line == "" && ev != (Event{}) {
			return ev, nil
		}
		ev.set(line)
	}
}

func (e *Event) set(line string) {
	field, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	switch field {
	case "event":
		e.Type = value
	case "id":
		e.ID = value
	case "data":
		e.Data = value
	case "retry":
		e.Retry = value
	}
}

// NextOf skips to the next event of a type.
func (e *Events) NextOf(kind string) (Event, error) {
	for {
		ev, err := e.Next()
		if err != nil || ev.Type == kind {
			return ev, err
		}
	}
}

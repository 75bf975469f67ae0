package tracker

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// maxStreamName is the longest name of a stream, in bytes.
const maxStreamName = 200

// Config names a stream and how its ids run. New keeps a copy.
type Config struct {
	// Stream is the stream's name: UTF-8 text of 1 to 200 bytes. It shows in
	// errors and moves.
	Stream string

	// Descending streams hold ids -1, -2, …: their positions are negative and
	// "reached" means P <= position.
	Descending bool

	// Writers are those who must have announced before the minimum over the
	// announced positions means anything: one that has not counts as 0. Others
	// that announce take part as well. Leave it empty where ids are drawn
	// inside the inserting transaction. "" is the writer of rows without one.
	Writers []string
}

func (c Config) validate() error {
	var problems []error
	if c.Stream == "" || len(c.Stream) > maxStreamName || !utf8.ValidString(c.Stream) {
		problems = append(problems, fmt.Errorf("stream name %.*q is not UTF-8 text of 1 to %d bytes", maxStreamName, c.Stream, maxStreamName))
	}
	for i, name := range c.Writers {
		if slices.Contains(c.Writers[:i], name) {
			problems = append(problems, fmt.Errorf("writer %q is listed twice", name))
		}
	}
	return errors.Join(problems...)
}

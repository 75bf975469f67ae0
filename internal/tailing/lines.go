package tailing

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/tidemark-pg/tidemark/follower/tail"
)

// line is a row as it is written.
type line struct {
	ID       int64           `json:"id"`
	Instance string          `json:"instance"`
	Table    string          `json:"table"`
	Row      json.RawMessage `json:"row"`
}

// lines writes rows as JSON, one a line: what a value of type json holds in
// several comes on one too.
type lines struct {
	buffer  *bufio.Writer
	encoder *json.Encoder
}

func newLines(to io.Writer) *lines {
	buffer := bufio.NewWriterSize(to, 64<<10)
	l := &lines{buffer: buffer, encoder: json.NewEncoder(buffer)}
	l.encoder.SetEscapeHTML(false)
	return l
}

// write writes rows, and returns when they are with the reader.
func (l *lines) write(rows []tail.Row) error {
	for _, r := range rows {
		if err := l.encoder.Encode(line{ID: r.ID, Instance: r.Instance, Table: r.Table, Row: r.Columns}); err != nil {
			return written(err)
		}
	}
	if err := l.buffer.Flush(); err != nil {
		return written(err)
	}
	return nil
}

// errNobodyReads says that the reader of stdout has gone, as after "| head".
var errNobodyReads = errors.New("nobody reads the rows")

// written is what an error of stdout means.
func written(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
		return errNobodyReads
	}
	return fmt.Errorf("write rows: %w", err)
}

package remote

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"time"
)

const (
	// maxEvent bounds the data of an event, and a line: a thousand writers with
	// names of some kilobytes fit.
	maxEvent = 16 << 20
	// maxKept is how large a buffer may be that is kept for the next event.
	maxKept = 64 << 10
	// maxKind is the longest type of an event; longer ones are not known here.
	maxKind = 64
	// maxEmptyReads is how often a connection may give nothing and no error.
	maxEmptyReads = 100
)

var errTooLarge = errors.New("an event is larger than 16 MiB")

// event is one server-sent event. Its data is valid until the next is read.
type event struct {
	kind string
	data []byte
}

// eventReader reads server-sent events as the HTML standard has them: lines end
// with CR, LF or both, the data of an event is the lines of it, comments and
// unknown fields are ignored, an event that has not ended is none.
type eventReader struct {
	src io.Reader

	chunk   []byte // of src, read and not yet looked at
	storage [4 << 10]byte
	line    []byte
	afterCR bool // an LF that comes now belongs to the CR before it
	begun   bool // the first line has been read: no byte order mark any more

	kind    []byte
	data    []byte
	hasData bool

	// retry is the pause that the server asked for; negative: it has not.
	retry time.Duration
	// lastID is the last id that is an integer, as all of ours are.
	lastID string
}

func newEventReader(src io.Reader) *eventReader { return &eventReader{src: src, retry: -1} }

// next returns the next event, or why there is none: what src said, or
// errTooLarge, after which the reader is of no use.
func (r *eventReader) next() (event, error) {
	r.reset()
	for {
		line, err := r.readLine()
		switch {
		case err != nil:
			return event{}, err
		case len(line) > 0:
			if err := r.field(line); err != nil {
				return event{}, err
			}
		case r.hasData:
			return event{kind: string(r.kind), data: r.data}, nil
		default:
			r.reset() // an event without data is none
		}
	}
}

func (r *eventReader) reset() {
	r.kind, r.data, r.hasData = r.kind[:0], r.data[:0], false
	if cap(r.data) > maxKept {
		r.data = nil
	}
}

// field takes one line that is not empty.
func (r *eventReader) field(line []byte) error {
	name, value, _ := bytes.Cut(line, []byte{':'})
	value = bytes.TrimPrefix(value, []byte{' '})
	switch string(name) {
	case "data":
		return r.addData(value)
	case "event":
		r.kind = append(r.kind[:0], value[:min(len(value), maxKind)]...)
	case "id":
		if _, err := strconv.ParseInt(string(value), 10, 64); err == nil {
			r.lastID = string(value)
		}
	case "retry":
		if ms, err := strconv.ParseUint(string(value), 10, 31); err == nil {
			r.retry = time.Duration(ms) * time.Millisecond
		}
	}
	return nil
}

func (r *eventReader) addData(value []byte) error {
	if len(r.data)+len(value) >= maxEvent {
		return errTooLarge
	}
	if r.hasData {
		r.data = append(r.data, '\n')
	}
	r.hasData = true
	r.data = append(r.data, value...)
	return nil
}

// readLine returns the next line without its end. It does not wait for what
// follows a CR: an event is complete before the LF of its last line arrives.
func (r *eventReader) readLine() ([]byte, error) {
	if r.line = r.line[:0]; cap(r.line) > maxKept {
		r.line = nil
	}
	for {
		if err := r.fill(); err != nil {
			return nil, err
		}
		end := bytes.IndexAny(r.chunk, "\r\n")
		part := r.chunk
		if end >= 0 {
			part = r.chunk[:end]
		}
		if len(r.line)+len(part) > maxEvent {
			return nil, errTooLarge
		}
		r.line = append(r.line, part...)
		if end >= 0 {
			r.afterCR = r.chunk[end] == '\r'
			r.chunk = r.chunk[end+1:]
			return r.whole(), nil
		}
		r.chunk = nil
	}
}

// whole is the line that has been read.
func (r *eventReader) whole() []byte {
	if r.begun {
		return r.line
	}
	r.begun = true
	return bytes.TrimPrefix(r.line, []byte("\xEF\xBB\xBF"))
}

// fill makes sure that there is something to look at.
func (r *eventReader) fill() error {
	for empty := 0; ; {
		if r.afterCR && len(r.chunk) > 0 {
			r.afterCR = false
			r.chunk = bytes.TrimPrefix(r.chunk, []byte{'\n'})
		}
		if len(r.chunk) > 0 {
			return nil
		}
		n, err := r.src.Read(r.storage[:])
		r.chunk = r.storage[:n]
		if n > 0 {
			continue // an error, where there is one, comes again
		}
		if err != nil {
			return err
		}
		if empty++; empty > maxEmptyReads {
			return errors.New("the connection gives nothing, and no error")
		}
	}
}

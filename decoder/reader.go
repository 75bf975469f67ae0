package decoder

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"
)

// reader takes a message apart from the front. The first failure sticks and
// moves it to the end, so every later read fails too, in constant time: parsers
// read straight through and loops alone need to look at err.
type reader struct {
	msg []byte
	off int
	// column being read plus one, for errors; 0 outside columns.
	column int
	err    *Error
}

func (r *reader) remaining() int { return len(r.msg) - r.off }

// fail records what is wrong at offset off, unless something was before.
func (r *reader) fail(class error, off int, format string, args ...any) {
	if r.err == nil {
		detail := fmt.Sprintf(format, args...)
		if r.column > 0 {
			detail = fmt.Sprintf("column %d: %s", r.column-1, detail)
		}
		r.err = &Error{Offset: off, Detail: detail, Err: class}
		if len(r.msg) > 0 {
			r.err.Message = r.msg[0]
		}
	}
	r.off = len(r.msg)
}

// short fails for want of bytes, and returns 0. It is kept out of the callers so
// that those are inlined.
//
//go:noinline
func (r *reader) short(what string) uint64 {
	r.fail(ErrMalformed, r.off, "%s is cut off, %d bytes remain", what, r.remaining())
	return 0
}

func (r *reader) uint8(what string) byte {
	if r.off >= len(r.msg) {
		return byte(r.short(what))
	}
	r.off++
	return r.msg[r.off-1]
}

func (r *reader) uint16(what string) uint16 {
	b := r.msg[r.off:]
	if len(b) < 2 {
		return uint16(r.short(what))
	}
	r.off += 2
	return binary.BigEndian.Uint16(b)
}

func (r *reader) uint32(what string) uint32 {
	b := r.msg[r.off:]
	if len(b) < 4 {
		return uint32(r.short(what))
	}
	r.off += 4
	return binary.BigEndian.Uint32(b)
}

func (r *reader) uint64(what string) uint64 {
	b := r.msg[r.off:]
	if len(b) < 8 {
		return r.short(what)
	}
	r.off += 8
	return binary.BigEndian.Uint64(b)
}

func (r *reader) lsn(what string) LSN { return LSN(r.uint64(what)) }

// epoch is PostgreSQL's, 2000-01-01 00:00:00 UTC, in Unix seconds.
const epoch = 946_684_800

// time reads microseconds since PostgreSQL's epoch. Seconds and rest are taken
// apart first: no 64-bit value overflows.
func (r *reader) time(what string) time.Time {
	us := int64(r.uint64(what))
	return time.Unix(epoch+us/1e6, us%1e6*1e3).UTC()
}

// name reads a zero-terminated string and returns it without the zero. The
// bytes are the server's, in the session's client_encoding: they are not
// checked to be UTF-8.
func (r *reader) name(what string) []byte {
	i := bytes.IndexByte(r.msg[r.off:], 0)
	if i < 0 {
		r.fail(ErrMalformed, r.off, "%s has no terminating zero in the %d bytes that remain", what, r.remaining())
		return nil
	}
	b := r.msg[r.off : r.off+i : r.off+i]
	r.off += i + 1
	return b
}

// sized reads a 32-bit length and so many bytes.
func (r *reader) sized(what string) []byte {
	at := r.off
	n := r.uint32(what)
	if uint64(n) > uint64(r.remaining()) {
		r.fail(ErrMalformed, at, "%s %d exceeds the %d bytes that remain", what, n, r.remaining())
		return nil
	}
	b := r.msg[r.off : r.off+int(n) : r.off+int(n)]
	r.off += int(n)
	return b
}

// end fails if anything is left over.
func (r *reader) end() {
	if n := r.remaining(); n > 0 {
		r.fail(ErrMalformed, r.off, "%d bytes left over", n)
	}
}

package decoder

import (
	"errors"
	"fmt"
)

// Each Error wraps exactly one of these, for errors.Is.
var (
	// ErrMalformed: the bytes are no message of their type: truncated, a length
	// or count that cannot be, a value outside its set, bytes left over.
	ErrMalformed = errors.New("malformed message")

	// ErrSequence: a sound message where none of its type may come, such as a
	// row outside a transaction.
	ErrSequence = errors.New("message out of sequence")

	// ErrUnsupported: a message type of another protocol version, or of none.
	ErrUnsupported = errors.New("unsupported message type")

	// ErrUnknownRelation: a row of a relation that this session never
	// described, or that was evicted since (Config.Relations).
	ErrUnknownRelation = errors.New("unknown relation")
)

// Error is what Decode returns: which message, where in it, what was wrong.
// It holds no bytes of a row.
type Error struct {
	// Message is the type byte of the message ('I' for an insert, …); 0 when
	// the message was empty.
	Message byte
	// Offset, in bytes from the start of the message, of what was wrong.
	Offset int
	// Detail says what was wrong, in words.
	Detail string
	// Err is the class: ErrMalformed, ErrSequence, ErrUnsupported or
	// ErrUnknownRelation.
	Err error
}

// Error reads like "insert: column 1: length 9 exceeds the 7 bytes that remain
// (offset 14)".
func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s (offset %d)", messageName(e.Message), e.Detail, e.Offset)
}

// Unwrap returns the class of the error.
func (e *Error) Unwrap() error { return e.Err }

// messageName names a message by its type byte, those of later protocol
// versions included: an operator should read what the server sent.
func messageName(b byte) string {
	if k := kindOf(b); k != 0 {
		return k.String()
	}
	if name := laterMessageName(b); name != "" {
		return name
	}
	return "message"
}

// laterMessageName names the messages that protocol versions 2 (streamed
// transactions) and 3 (prepared ones) added; "" for every other byte.
func laterMessageName(b byte) string {
	switch b {
	case 'S':
		return "stream start"
	case 'E':
		return "stream stop"
	case 'c':
		return "stream commit"
	case 'A':
		return "stream abort"
	case 'b':
		return "begin prepare"
	case 'P':
		return "prepare"
	case 'K':
		return "commit prepared"
	case 'r':
		return "rollback prepared"
	case 'p':
		return "stream prepare"
	default:
		return ""
	}
}

package tail

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

// lostError is a failure of a connection, or of opening one, rather than an
// answer of the server's.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// passes reports whether trying the same again may do. A refusal to connect
// does not pass by itself, and neither does an answer that is not about the
// server's own state.
func passes(err error) bool {
	code := server.Code(err)
	switch {
	case server.Refused(err):
		return false
	case len(code) == 5:
		switch code[:2] {
		case "08", "53", "40": // connection, resources, conflict
			return true
		}
		return strings.HasPrefix(code, "57P") || code == server.CodeLockNotAvailable
	}
	var lost *lostError
	return errors.As(err, &lost)
}

// aboutNames reports whether the server did not know a name, or may not be
// asked for it: what the catalog said may be old.
func aboutNames(err error) bool {
	code := server.Code(err)
	return strings.HasPrefix(code, "42") || strings.HasPrefix(code, "3F")
}

// deniedError is a refusal that says which right is missing.
type deniedError struct{ err error }

// Error says so.
func (e *deniedError) Error() string { return e.err.Error() }

// Unwrap gives the server's refusal.
func (e *deniedError) Unwrap() error { return e.err }

// Advised tells that the text says what to do.
func (e *deniedError) Advised() bool { return true }

// explain is the error that Next ends with.
func (t *Tail) explain(err error) error {
	var epoch *follower.EpochError
	if errors.As(err, &epoch) {
		return fmt.Errorf("read stream %q: ids of two histories cannot be compared: begin anew: %w", t.cfg.Stream.Name, epoch)
	}
	var unmet *follower.RequirementError
	if server.Code(err) == "42501" && !errors.As(err, &unmet) {
		return &deniedError{fmt.Errorf("read stream %q: %w: grant the role SELECT on all columns of the stream's tables", t.cfg.Stream.Name, err)}
	}
	return fmt.Errorf("read stream %q: %w", t.cfg.Stream.Name, err)
}

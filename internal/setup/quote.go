package setup

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func identifier(name string) string { return pgx.Identifier{name}.Sanitize() }

// identifiers is a list of quoted names.
func identifiers(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = identifier(n)
	}
	return strings.Join(quoted, ", ")
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// oneLine turns what the server says into one line that keeps its hint.
func oneLine(err error) error {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	return &serverError{pgErr}
}

// serverError is a server's error on one line.
type serverError struct{ err *pgconn.PgError }

func (e *serverError) Unwrap() error { return e.err }

func (e *serverError) Error() string {
	text := e.err.Message
	if e.err.Detail != "" {
		text += " (" + e.err.Detail + ")"
	}
	if advice := e.advice(); advice != "" {
		text += ": " + advice
	}
	return strings.Join(strings.Fields(text), " ")
}

// Advised tells that the text says what to do.
func (e *serverError) Advised() bool { return e.advice() != "" }

// advice is what to do, where the server does not say it.
func (e *serverError) advice() string {
	switch e.err.Code {
	case "55P03":
		return "another session holds a lock on the table: end its transaction, or try again"
	case "53400":
		return "drop a slot that nobody reads, or raise max_replication_slots and restart the server"
	case "42501":
		if e.err.Hint == "" {
			return "run it as the owner of the object, or as a superuser"
		}
	}
	return e.err.Hint
}

// doing wraps what went wrong with what was being done.
func doing(what string, err error) error { return fmt.Errorf("%s: %w", what, oneLine(err)) }

// comment keeps a comment on its one line, whatever names it holds.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' '
		}
		return r
	}, s)
}

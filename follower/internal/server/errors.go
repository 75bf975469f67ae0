package server

import (
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// SQLSTATE codes that a follower tells apart.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
const (
	CodeObjectInUse      = "55006" // a slot that another consumer reads
	CodeLockNotAvailable = "55P03" // lock_timeout
	CodeDuplicateObject  = "42710" // a slot of that name is there
)

// Code is the SQLSTATE of the server's error in err, or "".
func Code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// Refused reports whether the server answered and will answer the same the
// next time: credentials, privileges, a database that does not exist. Trying
// again is of no use until somebody changes something.
func Refused(err error) bool {
	var config *pgconn.ParseConfigError
	if errors.As(err, &config) {
		return true
	}
	code := Code(err)
	switch {
	case strings.HasPrefix(code, "28"): // invalid authorization
		return true
	case code == "3D000", code == "42501": // no such database, insufficient privilege
		return true
	}
	return false
}

// OneLine is an error's text for a person: on one line. The driver tells each
// attempt to connect on a line of its own, and many of them are the same.
func OneLine(err error) string {
	var lines []string
	for line := range strings.Lines(err.Error()) {
		line = strings.Join(strings.Fields(line), " ")
		if line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.ReplaceAll(strings.Join(lines, "; "), ":; ", ": ")
}

package cli

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tidemark-pg/tidemark/internal/config"
)

// advice is what to do about an error of the database, where the error itself
// does not say so.
func advice(err error) string {
	var told interface{ Advised() bool }
	if errors.As(err, &told) && told.Advised() {
		return ""
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return aboutRefusal(pg)
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return "start the server, or name the primary in database.url (or " + config.DatabaseURLVariable + ")"
	}
	return ""
}

// aboutRefusal knows what the server refuses and why.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
func aboutRefusal(pg *pgconn.PgError) string {
	switch pg.Code {
	case "28P01":
		return "correct user and password in database.url (or " + config.DatabaseURLVariable + ")"
	case "28000":
		if strings.Contains(pg.Message, "pg_hba.conf") {
			return "let this user and address in by pg_hba.conf and reload the server"
		}
		return "correct the user in database.url, or create the role and let it log in"
	case "3D000":
		return "create the database, or correct database.url"
	case "42501":
		return "grant this right to the role of database.url; tidemark check lists all that is needed"
	case "57P03":
		return "wait until the server has started"
	case "53300":
		return "raise max_connections or end sessions"
	case "55P03", "57014":
		return "try again when the transaction that holds the lock has ended"
	}
	return ""
}

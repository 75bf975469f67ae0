package follower

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

// Without a right to the schema it is the server that refuses the question.
const askKept = `SELECT t IS NOT NULL, COALESCE(pg_catalog.has_table_privilege(t, 'SELECT')
    AND pg_catalog.has_table_privilege(t, 'INSERT') AND pg_catalog.has_table_privilege(t, 'UPDATE'), false),
    pg_catalog.quote_ident(current_user)
  FROM pg_catalog.to_regclass($1) t`

// checkKept judges the table of published positions: only ever a warning, for
// positions are published without it too. An error is about asking.
func checkKept(ctx context.Context, conn *pgx.Conn, table string) (Finding, error) {
	found := Finding{Name: "published table " + table, OK: true}
	var there, usable bool
	var role string
	err := conn.QueryRow(ctx, askKept, table).Scan(&there, &usable, &role)
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused):
		found.Detail = "published positions are not kept: " + server.OneLine(err)
		found.Fix = "let the role use the schema, as deploy/roles.sql does, or set published.table to another"
	case err != nil:
		return Finding{}, fmt.Errorf("ask for the published table: %w", err)
	case !there:
		found.Detail = "published positions are not kept: there is no such table"
		found.Fix = `run tidemark setup, or set published.table to ""`
	case !usable:
		found.Detail = "published positions are not kept: role " + role + " may not SELECT, INSERT and UPDATE"
		found.Fix = "GRANT SELECT, INSERT, UPDATE ON " + table + " TO " + role
	}
	return found, nil
}

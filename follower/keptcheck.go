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
    pg_catalog.quote_ident(current_user),
    COALESCE((SELECT n FROM pg_catalog.unnest($2::text[]) WITH ORDINALITY c (n, i) WHERE NOT EXISTS
      (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = t AND attname = n AND NOT attisdropped) ORDER BY i LIMIT 1), '')
  FROM pg_catalog.to_regclass($1) t`

// keptColumns are what is written into the table of published positions. Another
// table lacks the first of them, one that an older version made the last.
func keptColumns() []string {
	return []string{
		"stream", "position", "epoch", "lsn", "moved_at", "sequence_oid", "sequence_filenode", "system_identifier", "timeline", "nonce", "closed",
	}
}

// checkKept judges the table of published positions: only ever a warning, for
// positions are published without it too. An error is about asking.
func checkKept(ctx context.Context, conn *pgx.Conn, table string) (Finding, error) {
	found := Finding{Name: "published table " + table, OK: true}
	var there, usable bool
	var role, lacks string
	err := conn.QueryRow(ctx, askKept, table, keptColumns()).Scan(&there, &usable, &role, &lacks)
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
	case lacks != "":
		found.Detail = "published positions are not kept: the table has no column " + lacks
		found.Fix = "run tidemark setup, or name another table in published.table"
	case !usable:
		found.Detail = "published positions are not kept: role " + role + " may not SELECT, INSERT and UPDATE"
		found.Fix = "GRANT SELECT, INSERT, UPDATE ON " + table + " TO " + role
	}
	return found, nil
}

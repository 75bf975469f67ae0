package catalog

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// resolution is what the server made of a configured name: the OID of a
// relation, 0 if there is none, or why it could not say.
type resolution struct {
	oid     uint32
	refused *pgconn.PgError
}

const resolveSQL = `
SELECT n.name, COALESCE(pg_catalog.to_regclass(n.name)::pg_catalog.oid, 0)
  FROM pg_catalog.unnest($1::text[]) AS n(name)`

// resolveNames lets the server parse the names. One that it cannot parse, or
// whose schema may not be looked into, spoils the whole statement: only then
// they are asked for one by one.
func resolveNames(ctx context.Context, conn *pgx.Conn, names []string) (map[string]resolution, error) {
	resolved := make(map[string]resolution, len(names))
	var ask []string
	for _, name := range names {
		if isOIDText(name) {
			resolved[name] = resolution{}
		} else if !slices.Contains(ask, name) {
			ask = append(ask, name)
		}
	}
	err := resolveInto(ctx, conn, resolved, ask)
	if refusedName(err) == nil {
		return resolved, err
	}
	for _, name := range ask {
		err := resolveInto(ctx, conn, resolved, []string{name})
		if refused := refusedName(err); refused != nil {
			resolved[name] = resolution{refused: refused}
		} else if err != nil {
			return nil, err
		}
	}
	return resolved, nil
}

func resolveInto(ctx context.Context, conn *pgx.Conn, into map[string]resolution, names []string) error {
	rows, err := conn.Query(ctx, resolveSQL, names)
	if err != nil {
		return err
	}
	var name string
	var oid uint32
	_, err = pgx.ForEachRow(rows, []any{&name, &oid}, func() error {
		into[name] = resolution{oid: oid}
		return nil
	})
	return err
}

// isOIDText tells "-" and numbers, which to_regclass takes for OIDs from
// version 16 on. As SQL names they would need quotes.
func isOIDText(name string) bool {
	name = strings.TrimSpace(name)
	return name == "-" || name != "" && spanOf(name, isDigit) == len(name)
}

// refusedName returns the server's error if it is about the name: bad syntax,
// no such schema, no right to look into it, another database's, bad bytes.
func refusedName(err error) *pgconn.PgError {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || len(pgErr.Code) != 5 {
		return nil
	}
	switch pgErr.Code[:2] {
	case "42", "3F", "0A", "22":
		return pgErr
	}
	return nil
}

const tableNamesSQL = `
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
 ORDER BY 1 LIMIT 5000`

// readTableNames lists tables that a mistyped name may have meant.
func readTableNames(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, tableNamesSQL)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// missing is the finding for a configured name that stands for nothing; what
// is "table", "sequence", …
func (in *inspection) missing(what, name, fix string) Finding {
	title, r := what+" "+name, in.facts.names[name]
	if r.refused == nil {
		return unmet(title, title+" does not exist"+didYouMean(qualified(name), in.facts.nearTables), fix)
	}
	detail := title + " cannot be looked up: " + r.refused.Message
	if r.refused.Code == "42501" {
		return unmet(title, detail, "GRANT USAGE ON SCHEMA "+schemaPart(name)+" TO "+in.facts.server.QuotedRole)
	}
	return unmet(title, detail, "write the name as SQL does: schema.name, quoted where SQL needs quotes")
}

// qualified puts the usual schema before a name that has none.
func qualified(name string) string {
	if strings.Contains(name, ".") {
		return name
	}
	return "public." + name
}

// schemaPart is the SQL name of the schema in a qualified SQL name: all before
// the last dot that is not inside quotes.
func schemaPart(name string) string {
	dot, quoted := 0, false
	for i := range len(name) {
		switch {
		case name[i] == '"':
			quoted = !quoted
		case name[i] == '.' && !quoted:
			dot = i
		}
	}
	return strings.TrimSpace(name[:dot])
}

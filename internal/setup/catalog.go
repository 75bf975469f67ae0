package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// catalog asks the system catalog, and changes nothing.
type catalog struct{ conn *pgx.Conn }

// server is what a plan needs to know of the server and of our role in it.
type server struct {
	version                            int
	walLevel, database, role           string
	recovering, replication, mayCreate bool
}

func (c catalog) lookAtServer(ctx context.Context) (s server, err error) {
	err = c.conn.QueryRow(ctx, `
		SELECT current_setting('server_version_num')::int, current_setting('wal_level'), current_database()::text, current_user::text,
		       pg_is_in_recovery(), r.rolreplication OR r.rolsuper, has_database_privilege(current_database(), 'CREATE')
		FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`).
		Scan(&s.version, &s.walLevel, &s.database, &s.role, &s.recovering, &s.replication, &s.mayCreate)
	if err != nil {
		return s, fmt.Errorf("look at the server: %w", err)
	}
	return s, nil
}

// table is a table as the catalog knows it.
type table struct {
	oid               uint32
	schema, name      string
	kind, persistence string
	owner, comment    string
	owned, inherited  bool
	ofSuperuser       bool // its owner is one
	nullable, columns []string
}

func (t *table) sql() string { return pgx.Identifier{t.schema, t.name}.Sanitize() }

// entry is the table as a publication takes it: without the tables that
// inherit from it, which would be published under names that nobody follows.
func (t *table) entry() string {
	if t.inherited {
		return "ONLY " + t.sql()
	}
	return t.sql()
}

func (t *table) partitioned() bool { return t.kind == "p" }

// find resolves a name as SQL writes it, or returns nil.
func (c catalog) find(ctx context.Context, name string) (*table, error) {
	t := &table{}
	err := c.conn.QueryRow(ctx, `
		SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence::text,
		       pg_get_userbyid(c.relowner)::text, coalesce(obj_description(c.oid, 'pg_class'), ''),
		       pg_has_role(c.relowner, 'USAGE'), c.relhassubclass AND c.relkind = 'r',
		       coalesce((SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.oid = c.relowner), false),
		       coalesce(array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE NOT a.attnotnull), '{}'),
		       coalesce(array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attnum IS NOT NULL), '{}')
		FROM pg_catalog.pg_class c
		JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.oid = to_regclass($1)
		GROUP BY c.oid, n.nspname`, name).
		Scan(&t.oid, &t.schema, &t.name, &t.kind, &t.persistence, &t.owner, &t.comment, &t.owned, &t.inherited, &t.ofSuperuser, &t.nullable, &t.columns)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up table %s: %w", name, err)
	}
	return t, nil
}

// place says where a table of that name would be made.
func (c catalog) place(ctx context.Context, name string) (*table, error) {
	t := &table{}
	err := c.conn.QueryRow(ctx, `
		SELECT CASE cardinality(p) WHEN 1 THEN coalesce(current_schema()::text, 'public') ELSE p[1] END, p[cardinality(p)]
		FROM parse_ident($1) p`, name).Scan(&t.schema, &t.name)
	if err != nil {
		return nil, fmt.Errorf("read table name %s: %w", name, err)
	}
	return t, nil
}

func (c catalog) mayCreateIn(ctx context.Context, schema string) (found, may bool, err error) {
	err = c.conn.QueryRow(ctx, `SELECT has_schema_privilege(oid, 'CREATE') FROM pg_catalog.pg_namespace WHERE nspname = $1`, schema).Scan(&may)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("look up schema %q: %w", schema, err)
	}
	return true, may, nil
}

// requireColumns refuses a table that lacks one of columns.
func (t *table) requireColumns(columns ...string) error {
	for _, column := range columns {
		if !slices.Contains(t.columns, column) {
			return fmt.Errorf("table %s has no column %q: add it, or mend its name in the configuration", t.sql(), column)
		}
	}
	return nil
}

// requireLogged refuses what cannot be published.
func (t *table) requireLogged() error {
	switch {
	case t.kind != "r" && t.kind != "p":
		return fmt.Errorf("%s is not a table: name a table", t.sql())
	case t.persistence == "u":
		return fmt.Errorf("table %s is unlogged, so its rows cannot be decoded: ALTER TABLE %s SET LOGGED", t.sql(), t.sql())
	case t.persistence == "t":
		return fmt.Errorf("table %s is temporary: name a permanent table", t.sql())
	}
	return nil
}

// identity is what a table's updates and deletes carry of the old row.
type identity struct {
	full    bool
	columns []string
}

// covers tells whether every one of columns is carried.
func (i identity) covers(columns ...string) bool {
	return i.full || len(columns) > 0 && subset(columns, i.columns)
}

// within tells whether a column list leaves the table's own updates working.
func (i identity) within(list []string) bool {
	return !i.full && len(i.columns) > 0 && subset(i.columns, list)
}

func subset(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

func (c catalog) replicaIdentity(ctx context.Context, t *table) (i identity, err error) {
	err = c.conn.QueryRow(ctx, `
		SELECT c.relreplident = 'f', coalesce(array_agg(a.attname::text) FILTER (WHERE a.attname IS NOT NULL), '{}')
		FROM pg_catalog.pg_class c
		LEFT JOIN pg_catalog.pg_index x ON x.indrelid = c.oid
		     AND CASE c.relreplident WHEN 'd' THEN x.indisprimary WHEN 'i' THEN x.indisreplident END
		LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (x.indkey[0:x.indnkeyatts - 1])
		WHERE c.oid = $1 GROUP BY c.oid`, t.oid).Scan(&i.full, &i.columns)
	if err != nil {
		return i, fmt.Errorf("look up the replica identity of %s: %w", t.sql(), err)
	}
	return i, nil
}

// uniqueIndex names an index over exactly columns that can be a replica
// identity, or is empty.
func (c catalog) uniqueIndex(ctx context.Context, t *table, columns ...string) (name string, err error) {
	err = c.conn.QueryRow(ctx, `
		SELECT i.relname::text
		FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
		WHERE x.indrelid = $1 AND x.indisunique AND x.indisvalid AND x.indimmediate AND x.indpred IS NULL AND x.indexprs IS NULL
		  AND (SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_catalog.pg_attribute a
		       WHERE a.attrelid = $1 AND a.attnum = ANY (x.indkey[0:x.indnkeyatts - 1])) = $2::text[]
		ORDER BY x.indisprimary DESC, i.relname LIMIT 1`, t.oid, slices.Sorted(slices.Values(columns))).Scan(&name)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look up the unique indexes of %s: %w", t.sql(), err)
	}
	return name, nil
}

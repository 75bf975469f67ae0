package catalog

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
)

// relation is what the catalog says of a table, or of what was taken for one.
type relation struct {
	OID, Namespace uint32
	Schema, Name   string
	// Display is the qualified name, quoted only where SQL needs it.
	Display string
	// Kind, Persistence and Identity are relkind, relpersistence, relreplident.
	Kind, Persistence, Identity string
	// RowsHidden tells that row-level security applies to our role.
	RowsHidden bool
	// SchemaUsable tells that our role may look into the schema.
	SchemaUsable bool
	// Ancestors of a partition, nearest first, and their schemas.
	Ancestors, AncestorNamespaces []uint32
	// Unlogged and Foreign name partitions whose rows are never decoded.
	Unlogged, Foreign []string

	columns []column
}

// column is one column of a relation.
type column struct {
	Relation uint32
	Number   int16
	Name     string
	// Type as declared; BaseType and BaseKind (typtype) under any domains.
	Type, BaseType uint32
	BaseKind       string
	TypeText       string
	Generated      string
	NotNull        bool
	Readable       bool
	// Identity, Owned and Drawn are sequences: of the identity, owned by the
	// column, drawn from by its default expression.
	Identity, Owned, Drawn []uint32
}

func (r *relation) column(name string) *column {
	i := slices.IndexFunc(r.columns, func(c column) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &r.columns[i]
}

func (r *relation) columnNames() []string {
	names := make([]string, len(r.columns))
	for i, c := range r.columns {
		names[i] = c.Name
	}
	return names
}

func (r *relation) partitioned() bool { return r.Kind == "p" }

const relationsSQL = `
SELECT c.oid, n.oid, n.nspname, c.relname, pg_catalog.format('%I.%I', n.nspname, c.relname),
       c.relkind::text, c.relpersistence::text, c.relreplident::text,
       COALESCE(pg_catalog.row_security_active(c.oid), false),
       COALESCE(pg_catalog.has_schema_privilege(n.oid, 'USAGE'), false),
       up.oids, up.namespaces, down.unlogged, down.outside
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (
       WITH RECURSIVE up(oid, depth) AS (
           SELECT i.inhparent, 1 FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid AND c.relispartition
            UNION ALL
           SELECT i.inhparent, up.depth + 1
             FROM up JOIN pg_catalog.pg_class p ON p.oid = up.oid AND p.relispartition
             JOIN pg_catalog.pg_inherits i ON i.inhrelid = p.oid)
       SELECT COALESCE(pg_catalog.array_agg(up.oid ORDER BY depth), '{}') AS oids,
              COALESCE(pg_catalog.array_agg(a.relnamespace ORDER BY depth), '{}') AS namespaces
         FROM up JOIN pg_catalog.pg_class a ON a.oid = up.oid) up
 CROSS JOIN LATERAL (
       WITH RECURSIVE down(oid) AS (
           SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid AND c.relkind = 'p'
            UNION ALL
           SELECT i.inhrelid FROM down JOIN pg_catalog.pg_inherits i ON i.inhparent = down.oid),
       parts AS (
           SELECT p.relkind, p.relpersistence, pg_catalog.format('%I.%I', s.nspname, p.relname) AS display
             FROM down JOIN pg_catalog.pg_class p ON p.oid = down.oid
             JOIN pg_catalog.pg_namespace s ON s.oid = p.relnamespace)
       SELECT COALESCE(pg_catalog.array_agg(display ORDER BY display)
                  FILTER (WHERE relkind = 'r' AND relpersistence = 'u'), '{}') AS unlogged,
              COALESCE(pg_catalog.array_agg(display ORDER BY display) FILTER (WHERE relkind = 'f'), '{}') AS outside
         FROM parts) down
 WHERE c.oid = ANY($1::oid[])`

const columnsSQL = `
SELECT a.attrelid, a.attnum, a.attname, a.atttypid, base.oid, base.typtype::text,
       pg_catalog.format_type(a.atttypid, a.atttypmod), a.attgenerated::text, a.attnotnull,
       COALESCE(pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT'), false),
       owned.identity, owned.plain, drawn.oids
  FROM pg_catalog.pg_attribute a
 CROSS JOIN LATERAL (
       WITH RECURSIVE base AS (
           SELECT t.oid, t.typtype, t.typbasetype FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid
            UNION ALL
           SELECT t.oid, t.typtype, t.typbasetype
             FROM base JOIN pg_catalog.pg_type t ON t.oid = base.typbasetype WHERE base.typtype = 'd')
       SELECT oid, typtype FROM base WHERE typtype <> 'd') base
 CROSS JOIN LATERAL (
       SELECT COALESCE(pg_catalog.array_agg(s.oid ORDER BY s.oid) FILTER (WHERE d.deptype = 'i'), '{}') AS identity,
              COALESCE(pg_catalog.array_agg(s.oid ORDER BY s.oid) FILTER (WHERE d.deptype = 'a'), '{}') AS plain
         FROM pg_catalog.pg_depend d
         JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
          AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum AND d.deptype IN ('a', 'i')) owned
 CROSS JOIN LATERAL (
       SELECT COALESCE(pg_catalog.array_agg(DISTINCT s.oid), '{}') AS oids
         FROM pg_catalog.pg_attrdef e
         JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = e.oid
          AND d.refclassid = 'pg_catalog.pg_class'::regclass
         JOIN pg_catalog.pg_class s ON s.oid = d.refobjid AND s.relkind = 'S'
        WHERE e.adrelid = a.attrelid AND e.adnum = a.attnum AND a.attgenerated = '') drawn
 WHERE a.attrelid = ANY($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum`

// readRelations reads tables, their columns, the publications and the indexes
// of the positions table in one round trip.
func (f *facts) readRelations(ctx context.Context, conn *pgx.Conn, spec Spec) error {
	oids := f.tableOIDs(spec)
	names := []string{spec.Publication, spec.positionsPublication()}
	f.relations = make(map[uint32]*relation)
	f.publications = make(map[string]*publication)
	var batch pgx.Batch
	batch.Queue(relationsSQL, oids).Query(f.scanRelations)
	batch.Queue(columnsSQL, oids).Query(f.scanColumns)
	batch.Queue(publicationsSQL, names).Query(f.scanPublications)
	batch.Queue(membersSQL, names).Query(f.scanMembers)
	batch.Queue(indexesSQL, f.names[spec.PositionsTable].oid).Query(f.scanIndexes)
	return conn.SendBatch(ctx, &batch).Close()
}

func (f *facts) tableOIDs(spec Spec) []uint32 {
	oids := []uint32{}
	for _, name := range spec.tableNames() {
		if oid := f.names[name].oid; oid != 0 && !slices.Contains(oids, oid) {
			oids = append(oids, oid)
		}
	}
	return oids
}

func (f *facts) scanRelations(rows pgx.Rows) error {
	relations, err := pgx.CollectRows(rows, scanRelation)
	for i := range relations {
		f.relations[relations[i].OID] = &relations[i]
	}
	return err
}

func scanRelation(row pgx.CollectableRow) (r relation, err error) {
	err = row.Scan(&r.OID, &r.Namespace, &r.Schema, &r.Name, &r.Display, &r.Kind, &r.Persistence, &r.Identity,
		&r.RowsHidden, &r.SchemaUsable, &r.Ancestors, &r.AncestorNamespaces, &r.Unlogged, &r.Foreign)
	return r, err
}

func (f *facts) scanColumns(rows pgx.Rows) error {
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[column])
	for _, c := range columns {
		if r := f.relations[c.Relation]; r != nil {
			r.columns = append(r.columns, c)
		}
	}
	return err
}

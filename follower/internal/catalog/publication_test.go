package catalog_test

import (
	"github.com/tidemark-pg/tidemark/follower/internal/catalog"
)

func publicationCases() []badCase {
	const stream = catalog.ScopeStream
	const extra = "publication tidemark, table public.extra"
	parts := only(catalog.Table{Name: "parts", IDColumn: "id"})
	const partitioned = `CREATE TABLE parts (id bigserial, k int) PARTITION BY LIST (k);
		CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1); GRANT SELECT ON parts, parts_1, parts_id_seq TO %s;`
	return []badCase{
		{name: "no publication", scope: catalog.ScopeSlot, finding: "publication tidemark", spoil: "DROP PUBLICATION tidemark", detail: []string{"tidemark does not exist"}},
		{
			name: "no publication of a partitioned table", scope: catalog.ScopeSlot, finding: "publication tidemark", spec: parts,
			spoil: "DROP PUBLICATION tidemark;" + partitioned, detail: []string{"tidemark does not exist"},
		},
		{
			name: "no publication, odd name", scope: catalog.ScopeSlot, finding: `publication Tide"mark`,
			spec:   func(s *catalog.Spec) { s.Publication = `Tide"mark`; s.Streams = s.Streams[:1] },
			detail: []string{`Tide"mark does not exist`},
		},
		{
			name: "inserts are not published", scope: catalog.ScopeSlot, finding: "publication tidemark",
			spoil: "ALTER PUBLICATION tidemark SET (publish = 'truncate')", detail: []string{"insert"},
		},
		{
			name: "table not published", scope: stream, finding: extra, spoil: "ALTER PUBLICATION tidemark DROP TABLE extra",
			detail: []string{"tidemark does not publish table public.extra"},
		},
		{
			name: "table not published beside a schema", scope: stream, finding: extra,
			spoil:  "CREATE SCHEMA other; ALTER PUBLICATION tidemark SET TABLE events, TABLES IN SCHEMA other",
			detail: []string{"does not publish table public.extra"},
		},
		{
			name: "column list without the instance", scope: stream, finding: extra,
			spoil:  "ALTER PUBLICATION tidemark DROP TABLE extra; ALTER PUBLICATION tidemark ADD TABLE extra (id)",
			detail: []string{"public.extra.instance_name", "column list"},
		},
		{
			name: "row filter", scope: stream, finding: extra,
			spoil:  "ALTER PUBLICATION tidemark DROP TABLE extra; ALTER PUBLICATION tidemark ADD TABLE extra (id, instance_name) WHERE (id > 5)",
			detail: []string{"row filter", "public.extra"},
		},
		{
			name: "not through the root", scope: stream, finding: "publication tidemark, table parts", spec: parts,
			spoil: partitioned + "ALTER PUBLICATION tidemark ADD TABLE parts", detail: []string{"parts is partitioned", "publish_via_partition_root"},
		},
		{
			name: "partitioned and not published", scope: stream, finding: "publication tidemark, table parts", spec: parts,
			spoil: partitioned, detail: []string{"does not publish table parts"},
		},
		{
			name: "partition of a root", scope: stream, finding: "publication tidemark, table parts_1", spec: only(catalog.Table{Name: "parts_1", IDColumn: "id"}),
			spoil:  partitioned + "DROP PUBLICATION tidemark; CREATE PUBLICATION tidemark FOR TABLE parts WITH (publish = 'insert', publish_via_partition_root = true)",
			detail: []string{"parts_1 is a partition"}, fix: "root",
		},
		{
			name: "partition of a root, all tables", scope: stream, finding: "publication tidemark, table parts_1", spec: only(catalog.Table{Name: "parts_1", IDColumn: "id"}),
			spoil:  partitioned + "DROP PUBLICATION tidemark; CREATE PUBLICATION tidemark FOR ALL TABLES WITH (publish = 'insert', publish_via_partition_root = true)",
			detail: []string{"parts_1 is a partition"}, fix: "root",
		},
	}
}

func positionsCases() []badCase {
	const told = catalog.ScopeAnnounced
	const table = "positions table public.stream_positions"
	const identity = "replica identity of public.stream_positions"
	const published = "publication tidemark_positions"
	const grants = "GRANT SELECT ON stream_positions TO %s; ALTER PUBLICATION tidemark_positions ADD TABLE stream_positions"
	return []badCase{
		{name: "no positions table", scope: told, finding: table, spoil: "DROP TABLE stream_positions", detail: []string{"public.stream_positions does not exist"}, also: grants},
		{
			name: "positions table is unlogged", scope: told, finding: table, detail: []string{"public.stream_positions", "unlogged"}, also: grants,
			spoil: "ALTER PUBLICATION tidemark_positions DROP TABLE stream_positions; ALTER TABLE stream_positions SET UNLOGGED",
		},
		{
			name: "positions table lacks a column", scope: told, finding: "column public.stream_positions.stream_id",
			spoil: "ALTER TABLE stream_positions RENAME stream_id TO stream_ids", detail: []string{"public.stream_positions has no column stream_id", "stream_ids"}, fix: "configuration",
		},
		{
			name: "position is text", scope: told, finding: "column public.stream_positions.stream_id",
			spoil: "ALTER TABLE stream_positions ALTER stream_id TYPE text", detail: []string{"public.stream_positions.stream_id", "text"},
		},
		{
			name: "positions may not be read", scope: told, finding: "select on public.stream_positions",
			spoil: "REVOKE SELECT ON stream_positions FROM %s", detail: []string{"public.stream_positions.stream_name"},
		},
		{
			name: "positions are hidden", scope: told, finding: "row-level security on public.stream_positions",
			spoil: "ALTER TABLE stream_positions ENABLE ROW LEVEL SECURITY", detail: []string{"public.stream_positions"},
		},
		{
			name: "no replica identity", scope: told, finding: identity, detail: []string{"public.stream_positions", "refuses updates"},
			spoil: "ALTER TABLE stream_positions REPLICA IDENTITY DEFAULT",
		},
		{
			name: "replica identity nothing", scope: told, finding: identity, detail: []string{"public.stream_positions"},
			spoil: "ALTER TABLE stream_positions REPLICA IDENTITY NOTHING",
		},
		{
			name: "replica identity, index dropped", scope: told, finding: identity, detail: []string{"public.stream_positions"},
			spoil: "ALTER TABLE stream_positions DROP CONSTRAINT stream_positions_stream_name_instance_name_key",
		},
		{
			name: "replica identity, nullable index", scope: told, finding: identity, detail: []string{"public.stream_positions"},
			spoil: "ALTER TABLE stream_positions REPLICA IDENTITY DEFAULT; ALTER TABLE stream_positions ALTER instance_name DROP NOT NULL",
		},
		{
			name: "replica identity is a number", scope: told, finding: identity, detail: []string{"stream_name", "instance_name"},
			spoil: "ALTER TABLE stream_positions ADD n bigserial PRIMARY KEY; ALTER TABLE stream_positions REPLICA IDENTITY DEFAULT",
		},
		{name: "no positions publication", scope: told, finding: published, spoil: "DROP PUBLICATION tidemark_positions", detail: []string{"tidemark_positions does not exist"}},
		{
			name: "positions not published", scope: told, finding: published, spoil: "ALTER PUBLICATION tidemark_positions DROP TABLE stream_positions",
			detail: []string{"public.stream_positions"},
		},
		{
			name: "deletes not published", scope: told, finding: published, spoil: "ALTER PUBLICATION tidemark_positions SET (publish = 'insert, update')",
			detail: []string{"insert, update", "delete"},
		},
		{
			name: "positions filtered", scope: told, finding: published, detail: []string{"row filter", "public.stream_positions"},
			spoil: "ALTER PUBLICATION tidemark_positions SET TABLE stream_positions WHERE (stream_name = 'x')",
		},
		{
			name: "positions column list", scope: told, finding: published, detail: []string{"column list", "public.stream_positions"},
			spoil: "ALTER PUBLICATION tidemark_positions SET TABLE stream_positions (stream_name, instance_name)",
		},
	}
}

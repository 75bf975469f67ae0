package catalog_test

import (
	"strings"
	"testing"

	"github.com/tidemark-pg/tidemark/follower/internal/catalog"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// fill puts the case's role for each %s.
func (d database) fill(sql string) string { return strings.ReplaceAll(sql, "%s", d.role) }

// onTable changes the first table of the first stream.
func onTable(change func(*catalog.Table)) func(*catalog.Spec) {
	return func(s *catalog.Spec) { change(&s.Streams[0].Tables[0]) }
}

// only leaves one stream of one table.
func only(table catalog.Table) func(*catalog.Spec) {
	return func(s *catalog.Spec) {
		s.Streams = s.Streams[:1]
		s.Streams[0].Tables = []catalog.Table{table}
	}
}

func rename(name string) func(*catalog.Spec) {
	return onTable(func(t *catalog.Table) { t.Name = name })
}

func tableCases() []badCase {
	const stream = catalog.ScopeStream
	parts := only(catalog.Table{Name: "parts", IDColumn: "id"})
	const partitioned = `CREATE TABLE parts (id bigserial, k int) PARTITION BY LIST (k);
		CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
		GRANT SELECT ON parts, parts_id_seq TO %s;
		ALTER PUBLICATION tidemark SET (publish_via_partition_root = true);
		ALTER PUBLICATION tidemark ADD TABLE parts (id);`
	return []badCase{
		{
			name: "no such table", spec: rename("public.evnts"), scope: stream,
			finding: "table public.evnts", detail: []string{"public.evnts does not exist", "did you mean public.events?"}, fix: "configuration",
		},
		{name: "no such schema", spec: rename("nowhere.events"), scope: stream, finding: "table nowhere.events", detail: []string{"nowhere.events"}, fix: "configuration"},
		{name: "name is not SQL", spec: rename(`public."events`), scope: stream, finding: `table public."events`, detail: []string{`public."events`}, fix: "n"},
		{name: "name has too many parts", spec: rename("a.b.c.d"), scope: stream, finding: "table a.b.c.d", detail: []string{"a.b.c.d"}, fix: "as SQL does"},
		{name: "another database's name", spec: rename("postgres.public.events"), scope: stream, finding: "table postgres.public.events", detail: []string{"postgres.public.events"}, fix: "as SQL does"},
		{name: "name is empty", spec: rename(""), scope: stream, finding: "table ", fix: "n"},
		{name: "name is a number", spec: rename("1259"), scope: stream, finding: "table 1259", detail: []string{"1259 does not exist"}, fix: "configuration"},
		{name: "name is a dash", spec: rename("-"), scope: stream, finding: "table -", detail: []string{"does not exist"}, fix: "configuration"},
		{
			name: "schema without usage", spec: rename("private.events"), scope: stream,
			spoil: `CREATE SCHEMA private; CREATE TABLE private.events (LIKE public.events INCLUDING ALL);
				ALTER TABLE private.events ALTER id DROP IDENTITY, ALTER id SET DEFAULT nextval('public.events_id_seq');
				GRANT SELECT ON private.events TO %s; ALTER PUBLICATION tidemark ADD TABLE private.events (id, instance_name)`,
			finding: "table private.events", detail: []string{"private"},
		},
		{name: "view", spoil: "CREATE VIEW v AS SELECT * FROM events", spec: rename("v"), scope: stream, finding: "table v", detail: []string{"a view"}, fix: "configuration"},
		{name: "sequence as table", spec: rename("events_id_seq"), scope: stream, finding: "table events_id_seq", detail: []string{"a sequence"}, fix: "configuration"},
		{
			name: "unlogged table", scope: stream, finding: "table public.extra", detail: []string{"public.extra", "unlogged"},
			spoil: "ALTER PUBLICATION tidemark DROP TABLE extra; ALTER TABLE extra SET UNLOGGED",
			also:  "ALTER PUBLICATION tidemark ADD TABLE extra (id, instance_name)",
		},
		{
			name: "unlogged partition", scope: stream, spec: parts, spoil: partitioned + "CREATE UNLOGGED TABLE parts_2 PARTITION OF parts FOR VALUES IN (2)",
			finding: "table parts", detail: []string{"unlogged", "public.parts_2"},
		},
		{
			name: "foreign partition", scope: stream, spec: parts, spoil: strings.ReplaceAll(partitioned, "ALTER PUBLICATION tidemark ADD", "--") + `
				CREATE FOREIGN DATA WRAPPER w; CREATE SERVER far FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE parts_3 PARTITION OF parts FOR VALUES IN (3) SERVER far`,
			finding: "table parts", detail: []string{"foreign", "public.parts_3"}, also: "ALTER PUBLICATION tidemark ADD TABLE parts (id)",
		},
		{
			name: "no such id column", scope: stream, spec: onTable(func(t *catalog.Table) { t.IDColumn = "Id" }),
			finding: "column public.events.Id", detail: []string{"public.events", "Id", "did you mean id?"}, fix: "configuration",
		},
		{
			name: "no such instance column", scope: stream, spec: onTable(func(t *catalog.Table) { t.InstanceColumn = "instance" }),
			finding: "column public.events.instance", detail: []string{"public.events has no column instance"}, fix: "configuration",
		},
		{
			name: "id is text", scope: stream, finding: "column public.extra.id", detail: []string{"public.extra.id", "type text", "bigint"},
			spoil: `ALTER PUBLICATION tidemark DROP TABLE extra; ALTER TABLE extra ALTER id DROP DEFAULT, ALTER id TYPE text`,
			also:  `ALTER TABLE extra ALTER id SET DEFAULT nextval('events_id_seq'); ALTER PUBLICATION tidemark ADD TABLE extra (id, instance_name)`,
		},
		{
			name: "id is numeric", scope: stream, finding: "column public.extra.id", detail: []string{"public.extra.id", "numeric(20,0)"},
			spoil: `ALTER PUBLICATION tidemark DROP TABLE extra; ALTER TABLE extra ALTER id TYPE numeric(20)`,
			also:  `ALTER PUBLICATION tidemark ADD TABLE extra (id, instance_name)`,
		},
		{
			name: "instance is json", scope: stream, finding: "column public.extra.instance_name", detail: []string{"public.extra.instance_name", "type json", "text"},
			spoil: `ALTER PUBLICATION tidemark DROP TABLE extra; ALTER TABLE extra ALTER instance_name TYPE json USING to_json(instance_name)`,
			also:  `ALTER PUBLICATION tidemark ADD TABLE extra (id, instance_name)`,
		},
		{
			name: "no select on a column", scope: stream, spoil: "REVOKE SELECT ON events FROM %s; GRANT SELECT (id, body) ON events TO %s",
			finding: "select on public.events", detail: []string{"public.events.instance_name", "may not read"},
		},
		{
			name: "row-level security", scope: stream, spoil: "ALTER TABLE events ENABLE ROW LEVEL SECURITY",
			finding: "row-level security on public.events", detail: []string{"row-level security", "public.events"},
		},
		{
			name: "forced row-level security of the owner", scope: stream,
			spoil:   "ALTER TABLE extra OWNER TO %s; ALTER TABLE extra ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
			finding: "row-level security on public.extra", detail: []string{"public.extra"},
		},
	}
}

// Which types a column may have: those whose values the decoder and SQL read
// alike.
func testColumnTypes(t *testing.T, s *server) {
	for _, c := range []struct {
		id, instance string
		ok           bool
	}{
		{"smallint", "text", true},
		{"int", "varchar(10)", true},
		{"bigint", "char(4)", true},
		{"bigint", "name", true},
		{"bigint", "uuid", true},
		{"bigint", "smallint", true},
		{"bigint", "colour", true},
		{"bigint", "nested", true},
		{"bigint", "number", false},
		{"bigint", "bytea", false},
		{"bigint", "text[]", false},
		{"bigint", "text GENERATED ALWAYS AS ('a') STORED", s.cluster.Major() >= 18},
		{"number", "text", false},
		{"oid", "text", false},
	} {
		t.Run(c.id+" "+c.instance, func(t *testing.T) {
			d := s.database(t)
			pgtest.Exec(t, d.owner, d.fill(`CREATE TYPE colour AS ENUM ('red'); CREATE DOMAIN word AS text; CREATE DOMAIN nested AS word;
				CREATE DOMAIN number AS bigint; CREATE SEQUENCE q; CREATE TABLE x (id `+c.id+`, w `+c.instance+`);
				GRANT SELECT ON x, q TO %s`))
			spec := goodSpec()
			only(catalog.Table{Name: "x", IDColumn: "id", InstanceColumn: "w"})(&spec)
			spec.Slot.Kind, spec.Streams[0].Sequence = catalog.SlotNone, "q"
			p := inspect(t, d.user, spec).Problem()
			if (p == nil) != c.ok {
				t.Errorf("problem %+v, want ok %t", p, c.ok)
			}
			if p != nil {
				wantWords(t, "Detail", p.Detail, "column x.")
			}
		})
	}
}

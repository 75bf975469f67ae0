package setup

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

const (
	positionsComment = "Positions announced by the writers of streams, one row a writer and stream. " + madeBySetup
	positionsPublish = "insert, update, delete"
)

// positionsKey are the columns that name a row of the positions table.
func positionsKey() []string { return []string{"stream_name", "instance_name"} }

// announcedPositions plans the positions table, its replica identity and its
// publication, where a stream is announced.
func (p *planner) announcedPositions(ctx context.Context) error {
	if !announced(p.cfg) {
		return nil
	}
	t, err := p.find(ctx, p.cfg.Follower.PositionsTable)
	if err != nil {
		return err
	}
	if t == nil {
		t, err = p.createPositions(ctx)
	} else {
		err = p.identifyPositions(ctx, t)
	}
	if err != nil {
		return err
	}
	return p.publishPositions(ctx, t)
}

func (p *planner) createPositions(ctx context.Context) (*table, error) {
	t, err := p.place(ctx, p.cfg.Follower.PositionsTable)
	if err != nil {
		return nil, err
	}
	if err := p.createInSchema(ctx, t.schema); err != nil {
		return nil, err
	}
	t.owned = true
	index := t.name + "_pkey"
	p.add("create the positions table", `CREATE TABLE %s (
  stream_name text NOT NULL,
  instance_name text NOT NULL,
  stream_id bigint NOT NULL,
  CONSTRAINT %s PRIMARY KEY (stream_name, instance_name)
) WITH (fillfactor = 50)`, t.sql(), identifier(index))
	p.add("mark the positions table", "COMMENT ON TABLE %s IS %s", t.sql(), literal(positionsComment))
	p.identify(t, index)
	return t, nil
}

// identifyPositions plans the replica identity of an existing table. Without
// one its users' own updates fail as soon as it is published (RULES 21), so
// this comes first, in the same transaction.
func (p *planner) identifyPositions(ctx context.Context, t *table) error {
	if err := t.requireLogged(); err != nil {
		return err
	}
	if err := t.requireColumns(append(positionsKey(), "stream_id")...); err != nil {
		return err
	}
	now, err := p.replicaIdentity(ctx, t)
	if err != nil || now.covers(positionsKey()...) {
		return err
	}
	index, err := p.uniqueIndex(ctx, t, positionsKey()...)
	if err != nil {
		return err
	}
	if index == "" {
		return fmt.Errorf("table %s has no unique index to publish updates by: CREATE UNIQUE INDEX ON %s (%s)", t.sql(), t.sql(), strings.Join(positionsKey(), ", "))
	}
	p.ownTable(t)
	for _, column := range positionsKey() {
		if slices.Contains(t.nullable, column) {
			p.add("refuse nulls, as a replica identity needs", "ALTER TABLE %s ALTER COLUMN %s SET NOT NULL", t.sql(), identifier(column))
		}
	}
	p.identify(t, index)
	return nil
}

func (p *planner) identify(t *table, index string) {
	p.add("let published updates name their row", "ALTER TABLE %s REPLICA IDENTITY USING INDEX %s", t.sql(), identifier(index))
}

func (p *planner) publishPositions(ctx context.Context, t *table) error {
	name := positionsPublication(p.cfg)
	tables := []wanted{{table: t}}
	pub, err := p.findPublication(ctx, name)
	if err != nil {
		return err
	}
	if pub == nil {
		p.createPublication(name, positionsPublish, tables)
		return nil
	}
	if err := pub.usable(); err != nil {
		return err
	}
	publish := ""
	if !pub.insert || !pub.update || !pub.delete {
		if others := pub.others(tables); len(others) > 0 {
			return fmt.Errorf("publication %q does not publish %s and holds tables of others (%s): name another publication", name, positionsPublish, strings.Join(others, ", "))
		}
		publish = publishing(pub, "insert", "update", "delete")
	}
	p.alterPublication(pub, publish, tables)
	return nil
}

// publishedTable plans the table of published positions.
func (p *planner) publishedTable(ctx context.Context) error {
	name := p.cfg.Published.Table
	if name == "" {
		return nil
	}
	t, err := p.find(ctx, name)
	if err != nil {
		return err
	}
	if t != nil {
		return p.fitPublished(t)
	}
	if t, err = p.place(ctx, name); err != nil {
		return err
	}
	if err := p.createInSchema(ctx, t.schema); err != nil {
		return err
	}
	p.createPublished(t)
	return nil
}

// publishedColumn is one column of the published table.
type publishedColumn struct{ name, definition, comment string }

// readersColumns is how many of publishedColumns, the first, every version had.
const readersColumns = 5

// publishedColumns is the published table: what readers need, then what tells
// after a restart whether a stored position still holds (RULES 11 and 12).
func publishedColumns() []publishedColumn {
	return []publishedColumn{
		{"stream", "text PRIMARY KEY", "Name of the stream."},
		{"position", "bigint NOT NULL", "Every row of the stream with an id up to here that will ever exist is committed and visible. Negative where ids descend."},
		{"epoch", "text NOT NULL", "The history in which the position is true. Positions of different epochs do not compare."},
		{"lsn", "pg_lsn NOT NULL", "WAL up to which the position was computed: a standby that has replayed it shows every row up to the position."},
		{"moved_at", "timestamptz NOT NULL", "When the position last moved."},
		{"sequence_oid", "oid", "The sequence the ids came from. Another one now: the position is void."},
		{"sequence_filenode", "oid", "The file of the sequence, which TRUNCATE with RESTART IDENTITY changes. Another one now: the position is void."},
		{"system_identifier", "text", "The database system on which the position was published. Another one now: the position is void."},
		{"timeline", "integer", "The timeline on which the position was published."},
		{"nonce", "text", "Random text of that timeline, a part of the epoch: tells apart two servers that were promoted from one place."},
		{"closed", "boolean", "True after an orderly stop: nothing was published beyond the position. After a crash it is up to 100 ms of moves behind."},
	}
}

func (p *planner) createPublished(t *table) {
	columns := publishedColumns()
	lines := make([]string, len(columns))
	for i, c := range columns {
		lines[i] = "  " + c.name + " " + c.definition
	}
	p.add("create the table of published positions", "CREATE TABLE %s (\n%s\n) WITH (fillfactor = 50)", t.sql(), strings.Join(lines, ",\n"))
	p.add("describe it", "COMMENT ON TABLE %s IS %s", t.sql(), literal("Positions published by Tidemark, one row a stream. "+madeBySetup))
	for _, c := range columns {
		p.add("describe its column "+c.name, "COMMENT ON COLUMN %s.%s IS %s", t.sql(), c.name, literal(c.comment))
	}
}

// fitPublished refuses a table that is something else. One from an older
// version gets the columns it lacks.
func (p *planner) fitPublished(t *table) error {
	for i, c := range publishedColumns() {
		if slices.Contains(t.columns, c.name) {
			continue
		}
		if i < readersColumns {
			return fmt.Errorf("table %s has no column %q: it is not a table of published positions; name another as published.table", t.sql(), c.name)
		}
		p.ownTable(t)
		p.add("add its column "+c.name, "ALTER TABLE %s ADD COLUMN %s %s", t.sql(), c.name, c.definition)
		p.add("describe its column "+c.name, "COMMENT ON COLUMN %s.%s IS %s", t.sql(), c.name, literal(c.comment))
	}
	return nil
}

package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// publication is a publication as the catalog knows it.
type publication struct {
	oid                              uint32
	name, owner                      string
	owned, ofSuperuser               bool
	allTables, schemas               bool
	insert, update, delete, truncate bool
	viaRoot                          bool
	entries                          []published
}

// published is one table of a publication. listed is false where all columns
// are published, filter empty where all rows are.
type published struct {
	oid     uint32
	name    string
	listed  bool
	columns []string
	filter  string
}

// findPublication returns nil where there is none of that name.
func (c catalog) findPublication(ctx context.Context, name string) (*publication, error) {
	p := &publication{name: name}
	err := c.conn.QueryRow(ctx, `
		SELECT p.oid, pg_get_userbyid(p.pubowner)::text, pg_has_role(p.pubowner, 'USAGE'),
		       coalesce((SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.oid = p.pubowner), false), p.puballtables,
		       EXISTS (SELECT FROM pg_catalog.pg_publication_namespace WHERE pnpubid = p.oid),
		       p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, p.pubviaroot
		FROM pg_catalog.pg_publication p WHERE p.pubname = $1`, name).
		Scan(&p.oid, &p.owner, &p.owned, &p.ofSuperuser, &p.allTables, &p.schemas, &p.insert, &p.update, &p.delete, &p.truncate, &p.viaRoot)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		p.entries, err = c.entries(ctx, p.oid)
	}
	if err != nil {
		return nil, fmt.Errorf("look up publication %q: %w", name, err)
	}
	return p, nil
}

func (c catalog) entries(ctx context.Context, publication uint32) ([]published, error) {
	rows, err := c.conn.Query(ctx, `
		SELECT r.prrelid, r.prrelid::regclass::text, r.prattrs IS NOT NULL,
		       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
		             WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs) ORDER BY a.attnum),
		       coalesce(pg_get_expr(r.prqual, r.prrelid), '')
		FROM pg_catalog.pg_publication_rel r WHERE r.prpubid = $1 ORDER BY 2`, publication)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (e published, err error) {
		err = row.Scan(&e.oid, &e.name, &e.listed, &e.columns, &e.filter)
		return e, err
	})
}

// entry returns the table's entry, or nil.
func (p *publication) entry(t *table) *published {
	i := slices.IndexFunc(p.entries, func(e published) bool { return e.oid == t.oid })
	if i < 0 {
		return nil
	}
	return &p.entries[i]
}

// others names the tables that are not among ours.
func (p *publication) others(ours []wanted) (names []string) {
	for _, e := range p.entries {
		if !slices.ContainsFunc(ours, func(w wanted) bool { return w.table.oid == e.oid }) {
			names = append(names, e.name)
		}
	}
	return names
}

// wanted is a table as a publication should have it; no columns means all.
type wanted struct {
	table   *table
	columns []string
}

func (w wanted) sql() string {
	if len(w.columns) == 0 {
		return w.table.entry()
	}
	return w.table.entry() + " (" + identifiers(w.columns) + ")"
}

// satisfied tells whether an entry publishes every row, and our columns. One
// that lists more is left alone: somebody else reads them, perhaps another
// Tidemark that follows the same table the other way.
func (w wanted) satisfied(e *published) bool {
	if e.filter != "" {
		return false
	}
	if len(w.columns) == 0 {
		return !e.listed
	}
	return e.listed && subset(w.columns, e.columns)
}

// replacing is w, with the columns that were listed before kept.
func (w wanted) replacing(e *published) wanted {
	if !e.listed || len(w.columns) == 0 {
		return w
	}
	kept := slices.Clone(w.columns)
	for _, c := range e.columns {
		if !slices.Contains(kept, c) {
			kept = append(kept, c)
		}
	}
	return wanted{w.table, kept}
}

// createPublication plans a publication that is not there.
func (p *planner) createPublication(name, publish string, tables []wanted) {
	p.createOnDatabase()
	entries := make([]string, len(tables))
	options := "publish = " + literal(publish)
	for i, w := range tables {
		p.ownTable(w.table)
		entries[i] = w.sql()
		if w.table.partitioned() && !strings.Contains(options, "root") {
			options += ", publish_via_partition_root = true"
		}
	}
	p.add(fmt.Sprintf("create publication %q", name), "CREATE PUBLICATION %s FOR TABLE %s WITH (%s)", identifier(name), strings.Join(entries, ", "), options)
}

// usable refuses a publication that cannot be given our entries.
func (pub *publication) usable() error {
	switch {
	case pub.allTables:
		return fmt.Errorf("publication %q is FOR ALL TABLES, which has no column lists: name another publication", pub.name)
	case pub.schemas:
		return fmt.Errorf("publication %q is FOR TABLES IN SCHEMA, which has no column lists: name another publication", pub.name)
	}
	return nil
}

// alterPublication plans what an existing publication lacks. The options come
// first: a partitioned table's column list needs publish_via_partition_root.
// Entries are dropped and added rather than all set anew, so that nothing of
// others has to be repeated; in one transaction no row can fall between.
func (p *planner) alterPublication(pub *publication, publish string, tables []wanted) {
	before := len(p.statements)
	name := identifier(pub.name)
	if publish != "" {
		p.add(fmt.Sprintf("set what publication %q publishes", pub.name), "ALTER PUBLICATION %s SET (publish = %s)", name, literal(publish))
	}
	if !pub.viaRoot && slices.ContainsFunc(tables, func(w wanted) bool { return w.table.partitioned() }) {
		p.add(fmt.Sprintf("publish partitions of %q as their root", pub.name), "ALTER PUBLICATION %s SET (publish_via_partition_root = true)", name)
	}
	for _, w := range tables {
		p.alterEntry(pub, w)
	}
	if len(p.statements) > before && !pub.owned {
		p.become(pub.owner, pub.ofSuperuser, "publication "+name)
	}
}

func (p *planner) alterEntry(pub *publication, w wanted) {
	name := identifier(pub.name)
	e := pub.entry(w.table)
	if e != nil {
		if w.satisfied(e) {
			return
		}
		p.add(fmt.Sprintf("take %s out of publication %q, to put it in as it should be", w.table.sql(), pub.name), "ALTER PUBLICATION %s DROP TABLE %s", name, w.table.entry())
		w = w.replacing(e)
	}
	p.ownTable(w.table)
	p.add(fmt.Sprintf("put %s into publication %q", w.table.sql(), pub.name), "ALTER PUBLICATION %s ADD TABLE %s", name, w.sql())
}

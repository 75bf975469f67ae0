package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// publication is what the catalog says of a publication. pg_publication_tables
// is not asked: it locks the tables it lists.
type publication struct {
	OID                              uint32
	Name, Quoted                     string
	AllTables                        bool
	Insert, Update, Delete, Truncate bool
	ViaRoot                          bool
	// Schemas are those of FOR TABLES IN SCHEMA.
	Schemas []uint32

	members map[uint32]member
}

// member is a table that a publication names.
type member struct {
	OID         uint32
	Publication string
	Relation    uint32
	// Filtered tells a row filter, Listed a column list: Columns.
	Filtered, Listed bool
	Columns          []int16
}

const publicationsSQL = `
SELECT p.oid, p.pubname, pg_catalog.quote_ident(p.pubname), p.puballtables,
       p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, p.pubviaroot,
       ARRAY(SELECT n.pnnspid FROM pg_catalog.pg_publication_namespace n WHERE n.pnpubid = p.oid)
  FROM pg_catalog.pg_publication p
 WHERE p.pubname = ANY($1::text[])`

const membersSQL = `
SELECT r.oid, p.pubname, r.prrelid, r.prqual IS NOT NULL, r.prattrs IS NOT NULL, COALESCE(r.prattrs::int2[], '{}')
  FROM pg_catalog.pg_publication p
  JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
 WHERE p.pubname = ANY($1::text[])`

func (f *facts) scanPublications(rows pgx.Rows) error {
	publications, err := pgx.CollectRows(rows, scanPublication)
	for _, p := range publications {
		f.publications[p.Name] = p
	}
	return err
}

func scanPublication(row pgx.CollectableRow) (*publication, error) {
	p := &publication{members: make(map[uint32]member)}
	err := row.Scan(&p.OID, &p.Name, &p.Quoted, &p.AllTables, &p.Insert, &p.Update, &p.Delete, &p.Truncate, &p.ViaRoot, &p.Schemas)
	return p, err
}

func (f *facts) scanMembers(rows pgx.Rows) error {
	members, err := pgx.CollectRows(rows, pgx.RowToStructByPos[member])
	for _, m := range members {
		if p := f.publications[m.Publication]; p != nil {
			p.members[m.Relation] = m
		}
	}
	return err
}

// publishedOIDs identify what is published of our tables: the publications and
// their entries. Another list means that rows may not have been sent meanwhile.
func (in *inspection) publishedOIDs() []uint32 {
	ours := in.snap.TableRefs()
	var oids []uint32
	for _, p := range in.facts.publications {
		oids = append(oids, p.OID)
		for _, m := range p.members {
			_, stream := ours[m.Relation]
			if stream || in.snap.Positions != nil && in.snap.Positions.OID == m.Relation {
				oids = append(oids, m.OID)
			}
		}
	}
	slices.Sort(oids)
	return oids
}

// names tells whether p publishes the relation by itself.
func (p *publication) names(relation, schema uint32) bool {
	_, listed := p.members[relation]
	return p.AllTables || listed || slices.Contains(p.Schemas, schema)
}

// publishes returns the relation under which p publishes rows of r: itself, an
// ancestor (publish_via_partition_root), or 0 for not at all.
func (p *publication) publishes(r *relation) uint32 {
	as := uint32(0)
	if p.names(r.OID, r.Namespace) {
		as = r.OID
	}
	for i, ancestor := range r.Ancestors {
		switch {
		case !p.names(ancestor, r.AncestorNamespaces[i]):
		case p.ViaRoot:
			as = ancestor
		default:
			return r.OID
		}
	}
	return as
}

// publicationTitle is the name of the finding on a publication.
func publicationTitle(name string) string { return "publication " + name }

// checkPublication judges the publication of the stream tables as a whole.
func (in *inspection) checkPublication() {
	in.add(in.publication().scope(ScopeSlot))
}

func (in *inspection) publication() Finding {
	name := in.spec.Publication
	title := publicationTitle(name)
	p := in.facts.publications[name]
	switch {
	case p == nil:
		return unmet(title, title+" does not exist", in.createPublication())
	case !p.Insert:
		return unmet(title, title+" does not publish insert", "ALTER PUBLICATION "+p.Quoted+" SET (publish = 'insert')")
	case p.Update || p.Delete || p.Truncate:
		return warning(title, title+" publishes more than insert: all of it is sent, and nothing but inserts is read",
			"ALTER PUBLICATION "+p.Quoted+" SET (publish = 'insert')")
	}
	return met(title, "publishes insert")
}

// createPublication is the statement that makes the publication of the stream
// tables, as `tidemark setup` does.
func (in *inspection) createPublication() string {
	var tables []string
	var seen []uint32
	options := "publish = 'insert'"
	for _, name := range in.spec.tableNames() {
		r := in.facts.relation(name)
		if r == nil || slices.Contains(seen, r.OID) {
			continue
		}
		seen = append(seen, r.OID)
		columns := in.neededColumns(r)
		if len(columns) == 0 {
			continue // the positions table is published apart
		}
		tables = append(tables, r.Display+" "+columnList(columns))
		if r.partitioned() && !strings.Contains(options, "root") {
			options += ", publish_via_partition_root = true"
		}
	}
	if len(tables) == 0 {
		return "tidemark setup"
	}
	return fmt.Sprintf("CREATE PUBLICATION %s FOR TABLE %s WITH (%s)", quoteIdent(in.spec.Publication), strings.Join(tables, ", "), options)
}

// neededColumns are the columns of r that any stream reads and that exist.
func (in *inspection) neededColumns(r *relation) []string {
	var columns []string
	for _, s := range in.spec.Streams {
		for _, t := range s.Tables {
			if in.facts.relation(t.Name) != r {
				continue
			}
			for _, c := range t.columns() {
				if r.column(c) != nil && !slices.Contains(columns, c) {
					columns = append(columns, c)
				}
			}
		}
	}
	return columns
}

// published judges what the publication makes of one stream table. Nothing is
// said where there is no publication: that is said once.
func (in *inspection) published(r *relation, t Table) []Finding {
	p := in.facts.publications[in.spec.Publication]
	if p == nil {
		return nil
	}
	title := publicationTitle(p.Name) + ", table " + t.Name
	f := in.sentAs(p, r, title, t.Name)
	if f.OK {
		f = p.sends(r, title, t, in.neededColumns(r))
	}
	return []Finding{f}
}

// sentAs judges whether rows of r arrive, and under its own name.
func (in *inspection) sentAs(p *publication, r *relation, title, table string) Finding {
	viaRoot := "ALTER PUBLICATION " + p.Quoted + " SET (publish_via_partition_root = true)"
	switch as := p.publishes(r); {
	case as == 0:
		return unmet(title, publicationTitle(p.Name)+" does not publish table "+table, p.addTable(r, in.neededColumns(r)))
	case as != r.OID:
		return unmet(title, "table "+table+" is a partition, and "+publicationTitle(p.Name)+" publishes its rows as its root's",
			"name the partitioned root in the configuration, or ALTER PUBLICATION "+p.Quoted+" SET (publish_via_partition_root = false)")
	case r.partitioned() && !p.ViaRoot:
		return unmet(title, "table "+table+" is partitioned, and "+publicationTitle(p.Name)+
			" does not publish through the root (publish_via_partition_root = false)", viaRoot)
	}
	return met(title, "")
}

// sends judges the row filter and the column list of a published table.
func (p *publication) sends(r *relation, title string, t Table, needed []string) Finding {
	m, named := p.members[r.OID]
	again := "ALTER PUBLICATION " + p.Quoted + " DROP TABLE " + r.Display + "; " + p.addTable(r, needed)
	if named && m.Filtered && !p.AllTables {
		return unmet(title, publicationTitle(p.Name)+" hides rows of table "+t.Name+" with a row filter", again)
	}
	if !m.Listed {
		return met(title, "without a column list: whole rows are sent")
	}
	for _, name := range t.columns() {
		if c := r.column(name); c != nil && !slices.Contains(m.Columns, c.Number) {
			return unmet(title, publicationTitle(p.Name)+" does not publish "+columnTitle(t.Name, name)+
				": it is not in the column list", again).on(t.Name, name)
		}
	}
	return met(title, "columns "+strings.Join(needed, ", "))
}

// addTable is the statement that publishes r. Column lists are not allowed
// beside FOR TABLES IN SCHEMA.
func (p *publication) addTable(r *relation, columns []string) string {
	add := "ALTER PUBLICATION " + p.Quoted + " ADD TABLE " + r.Display
	if len(p.Schemas) == 0 && len(columns) > 0 {
		add += " " + columnList(columns)
	}
	if r.partitioned() && !p.ViaRoot {
		add = "ALTER PUBLICATION " + p.Quoted + " SET (publish_via_partition_root = true); " + add
	}
	return add
}

package decoder

// Relation describes a table as the publication shows it: with a column list
// only the listed columns are there, and published via its root a partition
// comes as the partitioned table. Immutable once handed out; another relation
// message for the OID makes another *Relation.
type Relation struct {
	// OID of the table.
	OID uint32
	// Namespace is the schema, empty for pg_catalog; Name the table's name. Both
	// are the exact names, without quotes, and the server's bytes as they are.
	Namespace, Name string
	// ReplicaIdentity is pg_class.relreplident: 'd' default, 'n' nothing,
	// 'f' full, 'i' index.
	ReplicaIdentity byte
	// Columns in the order of a row's values. Not to be changed.
	Columns []Column
}

// Column describes one column of a Relation.
type Column struct {
	// Name is the exact name, without quotes.
	Name string
	// TypeOID is the type's pg_type.oid; TypeModifier is pg_attribute.atttypmod.
	TypeOID      uint32
	TypeModifier int32
	// Key: the column is part of the replica identity.
	Key bool
}

// Column returns the index of the column of that name, for Tuple.Value, or -1.
// It searches: look a column up once for each *Relation, not for each row.
func (r *Relation) Column(name string) int {
	for i := range r.Columns {
		if r.Columns[i].Name == name {
			return i
		}
	}
	return -1
}

// relation reads Byte1('R') Int32(oid) String(namespace) String(name)
// Int8(replica identity) Int16(columns) and the columns.
func (d *Decoder) relation(r *reader) {
	e := d.start(KindRelation)
	rel := &Relation{OID: r.uint32("relation oid")}
	rel.Namespace = string(r.name("namespace"))
	rel.Name = string(r.name("relation name"))
	rel.ReplicaIdentity = replicaIdentity(r)
	rel.Columns = columns(r)
	if r.err != nil {
		return
	}
	d.relations.Add(rel.OID, rel)
	d.last = rel
	e.Relation = rel
}

func replicaIdentity(r *reader) byte {
	at := r.off
	b := r.uint8("replica identity")
	switch b {
	case 'd', 'n', 'f', 'i':
	default:
		r.fail(ErrMalformed, at, "unknown replica identity 0x%02x", b)
	}
	return b
}

// columnSize is what a column takes at least: flags, a name's zero, type and
// type modifier.
const columnSize = 1 + 1 + 4 + 4

func columns(r *reader) []Column {
	at := r.off
	n := int(r.uint16("column count"))
	if n > r.remaining()/columnSize {
		r.fail(ErrMalformed, at, "column count %d needs %d bytes, %d remain", n, n*columnSize, r.remaining())
		return nil
	}
	cols := make([]Column, n)
	for i := range cols {
		r.column = i + 1
		cols[i] = column(r)
		if r.err != nil {
			return nil
		}
	}
	r.column = 0
	return cols
}

// column reads Int8(flags: 1 = key) String(name) Int32(type) Int32(modifier).
func column(r *reader) Column {
	at := r.off
	flags := r.uint8("flags")
	if flags > 1 {
		r.fail(ErrMalformed, at, "unknown flags 0x%02x", flags)
	}
	return Column{
		Key:          flags == 1,
		Name:         string(r.name("name")),
		TypeOID:      r.uint32("type oid"),
		TypeModifier: int32(r.uint32("type modifier")),
	}
}

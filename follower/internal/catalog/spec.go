package catalog

// Spec is what the configuration asks of the database.
type Spec struct {
	// Publication is the exact name of the publication of the stream tables;
	// that of the announced positions is this with "_positions" after it.
	Publication string
	// PositionsTable is the SQL name of the table of announced positions.
	// Unused without announced streams.
	PositionsTable string
	// Slot is the slot that will be read.
	Slot SlotSpec
	// ApplicationName is what the replication connection will be called. It
	// must not match synchronous_standby_names (RULES 1).
	ApplicationName string
	// Streams that are configured.
	Streams []Stream
}

// SlotKind says which logical-replication slot is read.
type SlotKind int

const (
	// SlotTemporary is a slot that the server drops with its connection.
	SlotTemporary SlotKind = iota
	// SlotPermanent is a named slot that outlives its connection.
	SlotPermanent
	// SlotNone reads no slot: what only logical replication needs (wal_level,
	// the right to replicate, publications) is not asked for.
	SlotNone
)

// SlotSpec is the slot that will be read.
type SlotSpec struct {
	// Kind of the slot.
	Kind SlotKind
	// Name of the slot; may be empty unless the slot is permanent.
	Name string
	// Failover asks for a slot that is synchronised to standbys (PostgreSQL 17+).
	Failover bool
}

// Stream is one configured stream.
type Stream struct {
	// Name of the stream.
	Name string
	// Announced streams read positions from the positions table.
	Announced bool
	// Descending streams hold ids -1, -2, … from a sequence that counts 1, 2, …
	Descending bool
	// Sequence is the SQL name of the sequence; empty: the one that the id
	// columns draw from.
	Sequence string
	// Writers are the known writers of an announced stream.
	Writers []string
	// Tables of the stream.
	Tables []Table
}

// Table is one configured table of a stream.
type Table struct {
	// Name is the table's SQL name, parsed by the server.
	Name string
	// IDColumn and InstanceColumn are exact column names; InstanceColumn may
	// be empty, then Writer names the one writer.
	IDColumn, InstanceColumn, Writer string
}

// columns are the columns of t that are read.
func (t Table) columns() []string {
	if t.InstanceColumn == "" {
		return []string{t.IDColumn}
	}
	return []string{t.IDColumn, t.InstanceColumn}
}

// positionsPublication is the name of the publication of the positions table.
func (s Spec) positionsPublication() string { return s.Publication + "_positions" }

func (s Spec) announced() bool {
	for _, stream := range s.Streams {
		if stream.Announced {
			return true
		}
	}
	return false
}

package follower

import (
	"log/slog"
	"time"
)

// Allocation says when a stream's writers draw their ids. It decides what a
// position may be derived from.
type Allocation string

const (
	// AllocationTransaction is the default: ids are drawn inside the inserting
	// transaction (column default, identity, serial or nextval). Writers do
	// nothing for Tidemark.
	AllocationTransaction Allocation = "transaction"

	// AllocationAnnounced means ids are drawn ahead of the transaction and
	// every writer keeps its own position up to date in the positions table.
	AllocationAnnounced Allocation = "announced"
)

// SlotKind says which logical-replication slot a follower reads.
type SlotKind int

const (
	// SlotTemporary is the default: a slot that the server drops with the
	// connection. Nothing is left behind when the process dies.
	SlotTemporary SlotKind = iota

	// SlotPermanent is a named slot that outlives the process. A second
	// follower on the same slot waits as standby and takes over.
	SlotPermanent

	// SlotNone reads no slot at all: positions come from the fence alone, and
	// those of announced streams from loading what is stored once a second.
	// Late rows go unseen.
	SlotNone
)

// SlotConfig describes the slot a follower reads.
type SlotConfig struct {
	// Kind of the slot; zero is SlotTemporary.
	Kind SlotKind

	// Standby is the connection string of a physical standby that carries the
	// slot and decodes (PostgreSQL 16 and newer; SlotTemporary only); empty: the
	// primary does. Positions come from the primary all the same. The standby
	// needs hot_standby_feedback, and the role the right to execute
	// pg_log_standby_snapshot() on the primary, or patience.
	Standby string

	// Name of the slot. Required for SlotPermanent; a temporary slot without
	// a name gets one of its own.
	Name string

	// Failover asks for a slot that is synchronised to standbys (PostgreSQL 17+).
	Failover bool

	// SkipAhead is the backlog, in bytes of WAL, beyond which the follower
	// advances the slot and reloads instead of draining it. 0 means never.
	SkipAhead int64
}

// TableConfig is one table of a stream.
type TableConfig struct {
	// Name is the table's name as SQL writes it: qualified or found through
	// the search path, quoted where SQL needs quotes.
	Name string

	// IDColumn is the exact name, without quotes, of the int2, int4 or int8
	// column that holds the row's id.
	IDColumn string

	// InstanceColumn is the exact name of the column that holds the instance
	// which wrote the row. Empty: the table has one writer, named by Writer.
	InstanceColumn string

	// Writer names the writer of a table without InstanceColumn; default "main".
	Writer string
}

// StreamConfig is one stream: its tables share one sequence of ids.
type StreamConfig struct {
	// Name is any UTF-8 text of 1 to 200 bytes, unique within a follower.
	Name string

	// Allocation; empty is AllocationTransaction.
	Allocation Allocation

	// Descending streams hold ids -1, -2, … from a sequence that counts 1, 2, …
	Descending bool

	// Sequence is the name, as SQL writes it, of the sequence the ids come
	// from. Empty: the sequence that an id column owns or draws its default from.
	Sequence string

	// Writers lists the known writers of an announced stream. Empty: whoever
	// has a row in the positions table.
	Writers []string

	// Tables holds the stream's rows; at least one.
	Tables []TableConfig
}

// PublishedConfig says where published positions are kept: the restart point
// while an old transaction is open, what makes epochs outlive a restart, and a
// position for any SQL client, on any physical standby: it arrives there after
// the rows that it covers.
type PublishedConfig struct {
	// Table, as SQL writes its name, that `tidemark setup` makes; empty: none.
	// Where it is missing or may not be written, positions are published all
	// the same, and a line in the log says so.
	Table string

	// Notify is a channel that is notified of moves, with or without a table, a
	// batch at most each 100 ms; empty: none. The payload is JSON: {"stream",
	// "position", "epoch"}.
	Notify string
}

// ReaderPolicy says what happens when a reader has been down for long.
type ReaderPolicy int

const (
	// ReaderHalt: publication stops, and the streams say so.
	ReaderHalt ReaderPolicy = iota
	// ReaderDrop: the reader is left out until it is back; who reads there
	// must look at a position's LSN.
	ReaderDrop
)

// Config configures a Follower. New validates it and keeps a copy.
type Config struct {
	// Database is the connection string of the primary, as libpq writes it
	// (URL or keyword/value); several hosts are allowed, the primary is picked.
	Database string

	// ApplicationName is what the follower's connections are called in
	// pg_stat_activity; default "tidemark". It must not match
	// synchronous_standby_names (RULES 1).
	ApplicationName string

	// Slot is the slot to read.
	Slot SlotConfig

	// Publication is the name of the publication of the stream tables;
	// default "tidemark". Announced positions are published in
	// <Publication>_positions.
	Publication string

	// PositionsTable is the table of announced positions; default
	// "public.stream_positions". Unused without announced streams.
	PositionsTable string

	// Streams to follow; at least one.
	Streams []StreamConfig

	// Published says where published positions are kept.
	Published PublishedConfig

	// Readers are the connection strings of physical standbys that workers
	// read: a position is published once it is visible on all of them.
	Readers []string

	// ReaderTimeout is how long a reader may be down before ReaderPolicy
	// applies; 0 is DefaultReaderTimeout. Until then positions stand still.
	ReaderTimeout time.Duration

	// ReaderPolicy says what happens then; zero is ReaderHalt.
	ReaderPolicy ReaderPolicy

	// Logger takes one line per event that an operator acts on; nil discards.
	Logger *slog.Logger

	// PublishedFunc, when set, is told for each commit the time from its commit
	// timestamp to the position that covers it. It is called from the
	// follower's goroutines and must not block.
	PublishedFunc func(stream string, delay time.Duration)
}

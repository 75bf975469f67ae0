package decoder

import "time"

// Kind says what an Event is.
type Kind uint8

// The kinds of events, one for each message of protocol version 1.
const (
	KindBegin    Kind = iota + 1 // a committed transaction follows
	KindCommit                   // the transaction is complete
	KindRelation                 // a relation is described, or described anew
	KindInsert                   // a row was inserted
	KindUpdate                   // a row was updated
	KindDelete                   // a row was deleted
	KindTruncate                 // relations were truncated
	KindType                     // a user-defined type is described
	KindOrigin                   // the transaction came from another server
	KindMessage                  // written with pg_logical_emit_message
)

// String names the kind in lower case, "begin"; "none" for the zero Kind.
func (k Kind) String() string {
	switch k {
	case KindBegin:
		return "begin"
	case KindCommit:
		return "commit"
	case KindRelation:
		return "relation"
	case KindInsert:
		return "insert"
	case KindUpdate:
		return "update"
	case KindDelete:
		return "delete"
	case KindTruncate:
		return "truncate"
	case KindType:
		return "type"
	case KindOrigin:
		return "origin"
	case KindMessage:
		return "logical message"
	default:
		return "none"
	}
}

// kindOf gives the kind of a message from its type byte, 0 for a byte that
// protocol version 1 does not know.
func kindOf(b byte) Kind {
	switch b {
	case 'B':
		return KindBegin
	case 'C':
		return KindCommit
	case 'R':
		return KindRelation
	case 'I':
		return KindInsert
	case 'U':
		return KindUpdate
	case 'D':
		return KindDelete
	case 'T':
		return KindTruncate
	case 'Y':
		return KindType
	case 'O':
		return KindOrigin
	case 'M':
		return KindMessage
	default:
		return 0
	}
}

// Event is one decoded message. Decode fills the same Event each time; it is
// valid until the next call (see the package documentation). Fields that do not
// belong to its Kind are zero.
type Event struct {
	// Kind of the message: it tells which other fields mean something.
	Kind Kind

	// XID of the transaction, modulo 2^32. Begin.
	XID uint32
	// CommitLSN is where the commit record begins. Begin (there the server calls
	// it the final LSN), Commit.
	CommitLSN LSN
	// EndLSN is where the commit record ends: the transaction is replayed on a
	// standby, and may be confirmed to the slot, from here on. Commit.
	EndLSN LSN
	// CommitTime is the transaction's commit timestamp by the server's clock, in
	// UTC, to the microsecond. Begin, Commit.
	CommitTime time.Time

	// Relation that is described (Relation) or whose row it is (Insert, Update,
	// Delete). It may be kept.
	Relation *Relation
	// New row. Insert, Update.
	New Tuple
	// Old row, while HasOld. Update, Delete.
	Old Tuple
	// HasOld tells whether the server sent the old row: always with Delete; with
	// Update if it changed the replica identity or that is FULL.
	HasOld bool
	// OldIsKey: Old holds the replica identity's columns only, the others being
	// null. Otherwise it is the whole row (REPLICA IDENTITY FULL).
	OldIsKey bool

	// Truncated relations. Truncate.
	Truncated []Truncated
	// Cascade and RestartIdentity are the options of the TRUNCATE. The server
	// restarts the sequences with another WAL record: this only tells of it.
	Cascade, RestartIdentity bool

	// Type described. Type.
	Type Type
	// Origin of the transaction. Origin.
	Origin Origin
	// Message written by a client. Message.
	Message Message
}

// Truncated is one relation of a Truncate.
type Truncated struct {
	// OID of the relation.
	OID uint32
	// Relation, or nil if this session has not described it (or it was evicted).
	Relation *Relation
}

// Type is a type that is not built in, described before its first column.
type Type struct {
	// OID of the type.
	OID uint32
	// Namespace and Name point into the message. Namespace is empty for
	// pg_catalog.
	Namespace, Name []byte
}

// Origin names the server a transaction was replicated from.
type Origin struct {
	// CommitLSN of the transaction on that server.
	CommitLSN LSN
	// Name of the replication origin; it points into the message.
	Name []byte
}

// Message is what a client wrote with pg_logical_emit_message. It comes only if
// the session asked for messages.
type Message struct {
	// Transactional: it is part of the transaction it comes in. Otherwise it
	// takes effect at once, whatever became of its transaction.
	Transactional bool
	// LSN of the message.
	LSN LSN
	// Prefix and Content point into the message.
	Prefix, Content []byte
}

package follower

import (
	"time"

	"github.com/jackc/pglogrepl"
)

// State is the condition a stream is in.
type State string

const (
	// StateStarting: no position has been published yet.
	StateStarting State = "starting"
	// StateFollowing: the position is being published, even while the slot is
	// missing, blocked or behind.
	StateFollowing State = "following"
	// StateCatchingUp: the position is true but waits for a backlog to be read.
	StateCatchingUp State = "catching_up"
	// StateReconnecting: the server cannot be reached; the last position stands.
	StateReconnecting State = "reconnecting"
	// StateStandby: another consumer reads the permanent slot; this follower
	// takes over when it goes.
	StateStandby State = "standby"
	// StateHalted: something the stream needs is missing; Reason says what.
	// It is tried again every few seconds.
	StateHalted State = "halted"
)

// States lists every State, in the order of their declaration.
func States() []State {
	return []State{StateStarting, StateFollowing, StateCatchingUp, StateReconnecting, StateStandby, StateHalted}
}

// HolderStandby is the State of a Holder that is a standby of Config.Readers.
const HolderStandby = "standby behind"

// Holder is one thing that keeps a position below the allocated id: an open
// transaction, a prepared transaction, (announced streams) a writer, or a standby
// that workers read and that has not replayed so far. Fields that do not apply,
// or that the role may not see, are nil.
type Holder struct {
	// PID of the backend; nil for prepared transactions and writers.
	PID *int32 `json:"pid"`
	// GID of the prepared transaction.
	GID *string `json:"gid"`
	// Writer of an announced stream whose position is the least.
	Writer *string `json:"writer"`
	// ApplicationName of the backend; the address of a standby.
	ApplicationName *string `json:"application_name"`
	// User who began the transaction.
	User *string `json:"user"`
	// State of the backend as in pg_stat_activity, "prepared", or HolderStandby.
	State *string `json:"state"`
	// Since is when the transaction began or was prepared, or since when
	// something waits for the standby.
	Since *time.Time `json:"since"`
}

// Status is everything known of one stream at one moment. Ids of descending
// streams are negative.
type Status struct {
	// Name of the stream.
	Name string
	// Known tells whether Position and Epoch mean anything yet.
	Known bool
	// Position is P: every row with id ≤ P (descending: ≥ P) that will ever
	// exist is committed and visible.
	Position int64
	// Writers is the newest id of each writer at or below Position
	// (transaction), or its stored position (announced).
	Writers map[string]int64
	// AllocatedKnown tells whether Allocated has been read yet.
	AllocatedKnown bool
	// Allocated is the sequence's last value, at most a second old while connected.
	Allocated int64
	// State and, unless the state is following, Reason: one sentence.
	State  State
	Reason string
	// Epoch is opaque; equal epochs mean one history.
	Epoch string
	// LSN is the WAL position up to which Position was computed.
	LSN pglogrepl.LSN
	// MovedAt is when Position last moved, CheckedAt when it was last confirmed
	// to be as far as it can be. Zero while unknown.
	MovedAt, CheckedAt time.Time
	// UnsettledSince is when the oldest id that is not settled was first seen
	// allocated; zero when every allocated id is settled.
	UnsettledSince time.Time
	// HeldBy names what keeps Position below Allocated.
	HeldBy []Holder
	// LateRows counts rows that arrived below a position already published.
	// It must be zero: anything else is a broken promise.
	LateRows uint64
	// Rows counts rows decoded, Moves how often Position moved, since the start.
	Rows, Moves uint64
}

// Stats are counters of a whole follower since its start.
type Stats struct {
	// Fences completed, sessions reconnected, and resyncs (skip-aheads and reloads).
	Fences, Reconnects, Resyncs uint64
}

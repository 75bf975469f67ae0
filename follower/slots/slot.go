package slots

import (
	"time"

	"github.com/tidemark-pg/tidemark/follower"
)

// Report is what a History makes of its newest sample.
type Report struct {
	// Time is the server's clock, and WAL where writing stood.
	Time time.Time
	WAL  LSN
	// WALBytesPerSecond is how fast WAL was written in the last minute, as far
	// as it was watched; nil after the first sample.
	WALBytesPerSecond *float64
	// Slots holds every logical slot of the server, by name; never nil.
	Slots []Slot
}

// Slot is a logical replication slot, judged. It encodes as the JSON of
// /v1/slots; nil is null: unknown, or not applicable.
type Slot struct {
	// Name, Plugin and Database of the slot.
	Name     string `json:"name"`
	Plugin   string `json:"plugin"`
	Database string `json:"database"`

	// Active tells that a consumer is connected, ActivePID its backend.
	Active    bool   `json:"active"`
	ActivePID *int32 `json:"active_pid"`
	// Temporary slots end with the session that made them.
	Temporary bool `json:"temporary"`

	// WALStatus is reserved, extended, unreserved or lost.
	WALStatus *string `json:"wal_status"`
	// RestartLSN is the oldest WAL that is kept for the slot.
	RestartLSN *LSN `json:"restart_lsn"`
	// ConfirmedFlushLSN is what the consumer has confirmed.
	ConfirmedFlushLSN *LSN `json:"confirmed_flush_lsn"`

	// RetainedBytes is how much WAL is kept, ConfirmedLagBytes how much of it
	// is not confirmed.
	RetainedBytes     *int64 `json:"retained_bytes"`
	ConfirmedLagBytes *int64 `json:"confirmed_lag_bytes"`
	// SafeWALBytes is how much may be written before the server may give the
	// slot up: not above 0 when the next checkpoint may. Nil without a limit.
	SafeWALBytes *int64 `json:"safe_wal_bytes"`
	// SecondsToInvalidation is when that is so, at the present rate of writing
	// and if the slot moves no more. Nil without a limit, and while nothing is
	// written.
	SecondsToInvalidation *int64 `json:"seconds_to_invalidation"`

	// InactiveSince is since when nobody has been connected (PostgreSQL 17+).
	InactiveSince *time.Time `json:"inactive_since"`
	// InvalidationReason is why the server gave the slot up (PostgreSQL 17+).
	InvalidationReason *string `json:"invalidation_reason"`

	// HeldBy names what keeps the slot back, the most likely cause first.
	HeldBy []follower.Holder `json:"held_by"`
	// Verdict, and in one sentence the numbers and what to do.
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason"`

	// CatalogXmin is the oldest transaction whose dead catalog rows are kept.
	CatalogXmin *string `json:"catalog_xmin"`
	// Failover tells a slot that is synchronised to standbys and so survives a
	// failover, Synced a copy of one on a standby (PostgreSQL 17+).
	Failover *bool `json:"failover"`
	Synced   *bool `json:"synced"`
	// Conflicting tells a slot of a standby that lost what it needs to
	// recovery (PostgreSQL 16+).
	Conflicting *bool `json:"conflicting"`
	// WALBytesPerSecond is how fast the server writes WAL.
	WALBytesPerSecond *float64 `json:"wal_bytes_per_second"`
}

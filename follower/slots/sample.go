package slots

import "time"

// Sample is what a server said of its logical slots at one moment. Pointers are
// nil where the server's version does not know, the role may not see, or there
// is nothing to tell.
type Sample struct {
	// Time is the server's clock.
	Time time.Time `json:"time"`

	// System and Timeline tell histories apart: samples of two of them have
	// nothing to do with each other. Timeline is empty in recovery.
	System   string `json:"system"`
	Timeline string `json:"timeline"`

	// WAL is where writing stands; on a standby, where replay does.
	WAL LSN `json:"wal"`

	// KeepSize is max_slot_wal_keep_size in bytes; nil is no limit.
	KeepSize *int64 `json:"keep_size"`

	// Slots holds every logical slot of the server, of any database, by name.
	Slots []SlotSample `json:"slots"`

	// Transactions holds the oldest that have written and have not ended, the
	// oldest first; only a few.
	Transactions []Transaction `json:"transactions"`
}

// SlotSample is one row of pg_replication_slots, with its consumer.
type SlotSample struct {
	// Name, Plugin and Database of the slot.
	Name     string `json:"slot_name"`
	Plugin   string `json:"plugin"`
	Database string `json:"database"`

	// Temporary slots end with the session that made them.
	Temporary bool `json:"temporary"`

	// Active tells that somebody is connected, ActivePID who.
	Active    bool   `json:"active"`
	ActivePID *int32 `json:"active_pid"`

	// WALStatus is reserved, extended, unreserved or lost; SafeWALSize how many
	// bytes may be written before it may be lost, nil without a limit.
	WALStatus   *string `json:"wal_status"`
	SafeWALSize *int64  `json:"safe_wal_size"`

	// RestartLSN is the oldest WAL that is kept, ConfirmedFlushLSN what the
	// consumer has confirmed, CatalogXmin the oldest transaction whose dead
	// catalog rows are kept.
	RestartLSN        *LSN    `json:"restart_lsn"`
	ConfirmedFlushLSN *LSN    `json:"confirmed_flush_lsn"`
	CatalogXmin       *string `json:"catalog_xmin"`

	// InactiveSince, InvalidationReason, Failover and Synced are known from
	// PostgreSQL 17 on, Conflicting from 16 on.
	InactiveSince      *time.Time `json:"inactive_since"`
	InvalidationReason *string    `json:"invalidation_reason"`
	Failover           *bool      `json:"failover"`
	Synced             *bool      `json:"synced"`
	Conflicting        *bool      `json:"conflicting"`

	// Consumer is the backend of ActivePID.
	Consumer *Consumer `json:"consumer"`
}

// Consumer is the backend that reads a slot: a walsender, or a session that
// calls pg_logical_slot_get_changes.
type Consumer struct {
	// ApplicationName and User of the session.
	ApplicationName *string `json:"application_name"`
	User            *string `json:"user"`
	// State is the walsender's: startup, catchup, streaming, ….
	State *string `json:"state"`
	// WaitEvent is what the backend waits for, as in pg_stat_activity.
	WaitEvent *string `json:"wait_event"`
	// SentLSN is what has been sent to it.
	SentLSN *LSN `json:"sent_lsn"`
	// FlushLag is how long, in seconds, what was flushed last had waited for
	// its confirmation; nil where nothing is under way.
	FlushLag *float64 `json:"flush_lag"`
}

// Transaction has a transaction id, so it has written, and has not ended.
type Transaction struct {
	// XID is its id, as the server shows it.
	XID string `json:"xid"`
	// PID of its backend; nil for a prepared one, which has a GID instead.
	PID *int32  `json:"pid"`
	GID *string `json:"gid"`
	// ApplicationName, User and State of the backend, as in pg_stat_activity.
	ApplicationName *string `json:"application_name"`
	User            *string `json:"user"`
	State           *string `json:"state"`
	// WaitEvent is what it waits for; SyncRep: for a synchronous standby.
	WaitEvent *string `json:"wait_event"`
	// Since is when it began, or was prepared.
	Since *time.Time `json:"since"`
}

package slots

import (
	"cmp"
	"time"
)

// Thresholds are the limits of the verdicts. A field that is 0 has its default.
type Thresholds struct {
	// AtRiskShare is the share of max_slot_wal_keep_size, between 0 and 1, that
	// must be left, or the slot is at risk.
	AtRiskShare float64
	// AtRiskWithin is the time until the slot is given up, at the present rate
	// of writing, below which it is at risk. It is not applied while the
	// slot's consumer keeps up.
	AtRiskWithin time.Duration

	// InactiveFor is how long nobody may be connected.
	InactiveFor time.Duration
	// InactiveBytes is how much WAL a slot may keep while nobody is connected.
	InactiveBytes int64

	// StalledFor is how long a connected consumer may confirm nothing while
	// there is WAL to confirm.
	StalledFor time.Duration

	// LaggingBytes is how far behind, in WAL, a slot may be: what its consumer
	// has not confirmed, or what a transaction that has been open for
	// LaggingFor makes it keep.
	LaggingBytes int64
	// LaggingFor is how far behind, in time, a slot may be.
	LaggingFor time.Duration
}

// Defaults of Thresholds.
const (
	DefaultAtRiskShare   = 0.2
	DefaultAtRiskWithin  = 10 * time.Minute
	DefaultInactiveFor   = time.Minute
	DefaultInactiveBytes = 64 << 20
	DefaultStalledFor    = 30 * time.Second
	DefaultLaggingBytes  = 64 << 20
	DefaultLaggingFor    = time.Minute
)

func (t Thresholds) withDefaults() Thresholds {
	t.AtRiskShare = cmp.Or(t.AtRiskShare, DefaultAtRiskShare)
	t.AtRiskWithin = cmp.Or(t.AtRiskWithin, DefaultAtRiskWithin)
	t.InactiveFor = cmp.Or(t.InactiveFor, DefaultInactiveFor)
	t.InactiveBytes = cmp.Or(t.InactiveBytes, DefaultInactiveBytes)
	t.StalledFor = cmp.Or(t.StalledFor, DefaultStalledFor)
	t.LaggingBytes = cmp.Or(t.LaggingBytes, DefaultLaggingBytes)
	t.LaggingFor = cmp.Or(t.LaggingFor, DefaultLaggingFor)
	return t
}

const (
	// noise is what a consumer may leave unconfirmed for ever: records after
	// the last commit that mean nothing to it. Less does not count as behind
	// in time.
	noise = 16 << 10

	// standing is how long a transaction must have been open to be named:
	// every busy server has some that are about to end.
	standing = time.Second
)

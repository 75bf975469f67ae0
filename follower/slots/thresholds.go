package slots

import "time"

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
	orDefault(&t.AtRiskShare, DefaultAtRiskShare)
	orDefault(&t.AtRiskWithin, DefaultAtRiskWithin)
	orDefault(&t.InactiveFor, DefaultInactiveFor)
	orDefault(&t.InactiveBytes, DefaultInactiveBytes)
	orDefault(&t.StalledFor, DefaultStalledFor)
	orDefault(&t.LaggingBytes, DefaultLaggingBytes)
	orDefault(&t.LaggingFor, DefaultLaggingFor)
	return t
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
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

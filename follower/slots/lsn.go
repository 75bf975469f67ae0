package slots

import (
	"fmt"

	"github.com/jackc/pglogrepl"
)

// LSN is a position in the WAL, in bytes. As text it is written as PostgreSQL
// writes it: 0/16B3748.
type LSN uint64

// String writes the position as PostgreSQL does.
func (l LSN) String() string { return pglogrepl.LSN(l).String() }

// MarshalText writes the position as PostgreSQL does.
func (l LSN) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads what PostgreSQL writes.
func (l *LSN) UnmarshalText(text []byte) error {
	lsn, err := pglogrepl.ParseLSN(string(text))
	if err != nil {
		return fmt.Errorf("read LSN %q: %w", text, err)
	}
	*l = LSN(lsn)
	return nil
}

// from is how many bytes lie between from and l; none where from is not before l.
func (l LSN) from(from LSN) int64 {
	if from >= l {
		return 0
	}
	return int64(l - from)
}

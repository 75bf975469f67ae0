package decoder

import "fmt"

// LSN is a position in the write-ahead log, in bytes from its beginning.
type LSN uint64

// String writes the LSN as PostgreSQL does: "16/B374D848".
func (l LSN) String() string {
	return fmt.Sprintf("%X/%X", uint32(l>>32), uint32(l))
}

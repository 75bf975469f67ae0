package wal

import (
	"testing"

	"github.com/jackc/pglogrepl"
)

func TestReachedOnPageBoundaries(t *testing.T) {
	g := DefaultGeometry()
	const seg, page = 16 << 20, 8192
	for _, c := range []struct {
		name       string
		have, want pglogrepl.LSN
		reached    bool
	}{
		{"behind", 99, 100, false},
		{"equal", 100, 100, true},
		{"page header is not WAL that anyone flushes", 3 * page, 3*page + 24, true},
		{"before the page", 3*page - 1, 3*page + 24, false},
		{"segment header is longer", 2 * seg, 2*seg + 40, true},
		{"before the segment", 2*seg - 8, 2*seg + 40, false},
		{"24 bytes into a segment is inside its long header", 2 * seg, 2*seg + 24, false},
		{"a record behind the header counts", 3 * page, 3*page + 32, false},
	} {
		if got := g.Reached(c.have, c.want); got != c.reached {
			t.Errorf("%s: Reached(%d, %d) = %v, want %v", c.name, c.have, c.want, got, c.reached)
		}
	}
}

package fence

import (
	"testing"

	"github.com/tidemark-pg/tidemark/follower/internal/wal"
)

// RULES 8: a row below a fence may have been committed at any time until the
// fence was done: it is late only beyond the WAL position read then, and not
// beyond the one at which the fence was made.
func TestAFenceSeesUpToItsEnd(t *testing.T) {
	var l Line
	holder := []Holder{{VXID: VXID{Backend: 3, Local: 7}}}
	if s, done := l.Add(Reading{Last: 5, Drawn: 10, Seen: 20, Flushed: 20, Holders: holder}, wal.Geometry{}); done {
		t.Fatalf("%+v beside a holder", s)
	}
	s, done := l.Add(Reading{Last: 5, Drawn: 30, Seen: 50, Flushed: 50}, wal.Geometry{})
	if !done || s.UpTo != 5 || s.Seen != 50 {
		t.Errorf("settled %+v, %v: want it to see what was committed before 50, when its holder had ended", s, done)
	}
}

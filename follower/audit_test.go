package follower

import (
	"testing"

	"github.com/jackc/pglogrepl"
)

// RULES 8: late is a commit above the WAL position read when the fence was
// done, not when it was made; and strictly above it.
func TestWhatIsLate(t *testing.T) {
	var a audit
	if a.late(1, 100) {
		t.Error("late before anything was published")
	}
	a.published(10, 1000)
	a.published(20, 2000)
	for _, c := range []struct {
		id   int64
		end  pglogrepl.LSN
		late bool
	}{
		{10, 1000, false}, // it ended where the WAL stood: it was there
		{10, 1001, true},
		{11, 1001, false}, // not covered by 10
		{11, 2000, false},
		{11, 2001, true},
		{21, 9999, false}, // not covered at all
	} {
		if got := a.late(c.id, c.end); got != c.late {
			t.Errorf("late(%d, %d) = %v, want %v", c.id, c.end, got, c.late)
		}
	}
}

// Forgetting old positions may miss a late row, but never invents one.
func TestAForgetfulAuditIsNeverFalse(t *testing.T) {
	var a audit
	const n = 5 * maxMarks
	for i := int64(1); i <= n; i++ {
		a.published(10*i, pglogrepl.LSN(100*i))
	}
	if len(a.marks) > maxMarks {
		t.Fatalf("%d marks are kept", len(a.marks))
	}
	for i := int64(1); i <= n; i++ {
		if a.late(10*i, pglogrepl.LSN(100*i)) {
			t.Fatalf("a row that was in time for position %d is called late", 10*i)
		}
	}
	if !a.late(10*n, 100*n+1) {
		t.Fatal("the newest position is forgotten")
	}
}

func TestBelow(t *testing.T) {
	var a audit
	a.published(10, 1000)
	a.published(20, 2000)
	for lsn, want := range map[pglogrepl.LSN]int64{0: 0, 999: 0, 1000: 10, 1999: 10, 2000: 20, 9999: 20} {
		if got := a.below(lsn); got != want {
			t.Errorf("below(%d) = %d, want %d", lsn, got, want)
		}
	}
}

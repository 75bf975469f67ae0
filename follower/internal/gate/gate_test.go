package gate

import (
	"testing"

	"pgregory.net/rapid"
)

func TestSnapshotSeesWhatItDoesNotList(t *testing.T) {
	s, err := ParseSnapshot("100:110:100,104,107")
	if err != nil {
		t.Fatal(err)
	}
	for xid := uint32(90); xid < 120; xid++ {
		want := xid < 110 && xid != 100 && xid != 104 && xid != 107
		if got := s.Visible(xid); got != want {
			t.Errorf("Visible(%d) = %v, want %v", xid, got, want)
		}
	}
}

// The stream gives 32 bits of a 64-bit id; both sides of each wrap must hold.
func TestVisibleAcrossTheWrapOfTransactionIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		xmax := rapid.Uint64Range(1<<31, 1<<40).Draw(t, "xmax")
		back := rapid.Uint64Range(0, 1<<31-1).Draw(t, "back")
		ahead := rapid.Uint64Range(0, 1<<31-1).Draw(t, "ahead")
		s := Snapshot{xmin: xmax - back, xmax: xmax, inProgress: []uint64{xmax - back}}
		if back == 0 {
			s.inProgress = nil
		}
		if s.Visible(uint32(xmax + ahead)) {
			t.Fatalf("%d is not below xmax %d, yet visible", xmax+ahead, xmax)
		}
		if back > 0 && s.Visible(uint32(xmax-back)) {
			t.Fatalf("%d is in progress, yet visible", xmax-back)
		}
		if back > 1 && !s.Visible(uint32(xmax-back+1)) {
			t.Fatalf("%d has ended, yet invisible", xmax-back+1)
		}
	})
}

func TestParseSnapshotRefusesJunk(t *testing.T) {
	for _, s := range []string{
		"", ":", "::", "1", "1:2", "a:2:", "1:b:", "5:4:", "1:4:9", "1:4:0", "1:4:2,", "1:4:x", "1:4:-2",
		"99999999999999999999:99999999999999999999:", "1:2:1:1",
	} {
		if got, err := ParseSnapshot(s); err == nil {
			t.Errorf("ParseSnapshot(%q) = %+v, want an error", s, got)
		}
	}
}

func FuzzParseSnapshot(f *testing.F) {
	f.Add("100:110:100,104,107", uint32(104))
	f.Add("1:1:", uint32(0))
	f.Fuzz(func(t *testing.T, text string, xid uint32) {
		s, err := ParseSnapshot(text)
		if err == nil && s.Visible(xid) && s.Visible(uint32(s.xmax)) {
			t.Fatalf("%q sees its own xmax", text)
		}
	})
}

func queue(commits ...Commit) *Queue {
	q := &Queue{}
	for _, c := range commits {
		q.Add(c)
	}
	return q
}

func xids(commits []Commit) []uint32 {
	var x []uint32
	for _, c := range commits {
		x = append(x, c.XID)
	}
	return x
}

func equal(a, b []uint32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// A commit that waits for a standby holds back neither others nor itself; one
// of an announced stream holds back later ones of announced streams. RULES 16.
func TestEachCommitPassesByItselfUnlessOrdered(t *testing.T) {
	s := Snapshot{xmin: 10, xmax: 20, inProgress: []uint64{10, 13}}
	q := queue(
		Commit{XID: 10, LSN: 1000},
		Commit{XID: 11, LSN: 1100},
		Commit{XID: 13, LSN: 1200, Ordered: true},
		Commit{XID: 14, LSN: 1300, Ordered: true},
		Commit{XID: 15, LSN: 1400},
	)
	if got := xids(q.Clear(s, nil)); !equal(got, []uint32{11, 15}) {
		t.Fatalf("cleared %v, want 11 and 15", got)
	}
	s.inProgress = []uint64{10}
	if got := xids(q.Clear(s, nil)); !equal(got, []uint32{13, 14}) {
		t.Fatalf("cleared %v, want 13 and 14 in this order", got)
	}
	if q.Len() != 1 {
		t.Fatalf("%d left, want 1", q.Len())
	}
}

// RULES 2: what has not passed is never confirmed, whatever was received.
func TestConfirmableStopsBeforeWhatIsPending(t *testing.T) {
	q := queue(Commit{XID: 10, LSN: 1000, End: 1050}, Commit{XID: 11, LSN: 1100, End: 1150})
	if got := q.Confirmable(5000); got != 1000 {
		t.Fatalf("confirmable %d, want the start of the oldest pending commit", got)
	}
	q.Clear(Snapshot{xmin: 11, xmax: 20, inProgress: []uint64{11}}, nil)
	if got := q.Confirmable(5000); got != 1100 {
		t.Fatalf("confirmable %d, want 1100", got)
	}
	q.Clear(Snapshot{xmin: 20, xmax: 20}, nil)
	if got := q.Confirmable(5000); got != 5000 {
		t.Fatalf("confirmable %d, want all that was received", got)
	}
	if q.Runs() != 0 {
		t.Fatalf("%d runs left", q.Runs())
	}
}

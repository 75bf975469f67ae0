package follower

import (
	"log/slog"
	"testing"

	"github.com/tidemark-pg/tidemark/follower/internal/gate"
	"github.com/tidemark-pg/tidemark/tracker"
)

func announcedLife(t *testing.T) *life {
	t.Helper()
	s, err := newStream(StreamConfig{Name: "s", Allocation: AllocationAnnounced}, Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLife(s, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	s.life.Store(l)
	return l
}

func (l *life) load(t *testing.T, snapshot string, positions map[string]int64, first bool) {
	t.Helper()
	s, err := gate.ParseSnapshot(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	l.applying.Lock()
	defer l.applying.Unlock()
	l.tracker.Apply(l.stored(loaded{snapshot: s, positions: positions}, first))
}

func withdraw(writer string, xid uint32) batch {
	return batch{events: []tracker.Event{{Verb: tracker.VerbForget, Writer: writer}}, xids: []uint32{xid}}
}

func announce(writer string, id int64, xid uint32) batch {
	return batch{events: []tracker.Event{{Verb: tracker.VerbAnnounce, Writer: writer, To: id}}, xids: []uint32{xid}}
}

// A load that has seen a writer withdraw and register again must not be undone
// by the withdrawal, which comes through the slot afterwards: the writer may
// have an id open. RULES 20.
func TestAWithdrawalThatTheLoadHasSeenIsOver(t *testing.T) {
	l := announcedLife(t)
	// 100 withdrew a, 101 registered it again at 0, 102 let b announce 1.
	l.load(t, "103:103:", map[string]int64{"a": 0, "b": 1}, true)
	if l.apply(withdraw("a", 100)) || l.position() != 0 {
		t.Fatalf("position %d while a may have 1 open", l.position())
	}
	// One that the load has not seen counts.
	if !l.apply(withdraw("a", 103)) || l.position() != 1 {
		t.Fatalf("position %d after a has gone", l.position())
	}
}

// A load decides over what it has seen; what it has not seen stands.
func TestALoadKeepsWhatCameAfterIt(t *testing.T) {
	l := announcedLife(t)
	l.load(t, "100:100:", map[string]int64{"a": 0, "b": 5}, true)
	l.apply(withdraw("a", 100))
	if l.position() != 5 {
		t.Fatalf("position %d after a has gone", l.position())
	}
	l.load(t, "100:100:", map[string]int64{"a": 0, "b": 9}, false) // read before a's withdrawal
	if l.position() != 9 {
		t.Fatalf("position %d: a writer that is gone pins it", l.position())
	}
	l.load(t, "102:102:", map[string]int64{"a": 9, "b": 20}, false) // a has registered again
	l.apply(announce("a", 9, 102))
	if l.position() != 9 {
		t.Fatalf("position %d while a is at 9", l.position())
	}
}

// What a load had seen comes through the slot afterwards and changes nothing
// any more: a writer that has gone would hold the position for as long as the
// session lasts. RULES 20.
func TestAWriterThatTheLoadSawGoneIsGone(t *testing.T) {
	l := announcedLife(t)
	l.load(t, "100:100:", map[string]int64{"a": 0, "b": 5}, true)
	l.load(t, "101:101:", map[string]int64{"b": 7}, false) // 100 withdrew a
	if l.position() != 7 {
		t.Errorf("position %d: the load saw a go", l.position())
	}
	l.apply(withdraw("a", 100))
	l.apply(announce("b", 9, 101))
	if l.position() != 9 {
		t.Errorf("position %d: the load had seen a go before the slot told so", l.position())
	}

	l = announcedLife(t)
	l.load(t, "102:102:", map[string]int64{"b": 5}, true) // 100 registered a, 101 withdrew it
	l.apply(announce("a", 0, 100))
	l.apply(withdraw("a", 101))
	l.apply(announce("b", 9, 102))
	if l.position() != 9 {
		t.Errorf("position %d: a came and went before the load", l.position())
	}
}

// A second load does not undo what the slot told of after its snapshot.
func TestARegistrationThatTheLoadHasNotSeenStays(t *testing.T) {
	l := announcedLife(t)
	l.load(t, "100:100:", map[string]int64{"b": 5}, true)
	l.apply(announce("a", 5, 101))
	l.load(t, "101:101:", map[string]int64{"b": 7}, false)
	l.apply(announce("b", 9, 102))
	if l.position() != 5 {
		t.Errorf("position %d: a may have 6 open", l.position())
	}
}

// In one batch the order counts.
func TestAWithdrawalAndARegistrationInOneBatch(t *testing.T) {
	l := announcedLife(t)
	l.load(t, "100:100:", map[string]int64{"a": 0, "b": 5}, true)
	l.apply(batch{
		events: []tracker.Event{
			{Verb: tracker.VerbForget, Writer: "a"},
			{Verb: tracker.VerbAnnounce, Writer: "a", To: 3},
		},
		xids: []uint32{100, 100},
	})
	if l.position() != 3 || !l.mu.writers["a"].in {
		t.Fatalf("position %d, writers %v", l.position(), l.mu.writers)
	}
}

// What is loaded moves the position like anything else: with an LSN that covers
// it, and a time.
func TestLoadedRowsMoveThePositionInOnePiece(t *testing.T) {
	for _, allocation := range []Allocation{AllocationTransaction, AllocationAnnounced} {
		l := announcedLife(t)
		l.of.cfg.Allocation = allocation
		l.become()
		l.found([]tracker.Event{{Verb: tracker.VerbObserve, Writer: "a", From: 1, To: 1}}, 500)
		st := l.of.Status()
		if st.Position != 1 || st.LSN < 500 || st.MovedAt.IsZero() || st.Moves != 1 {
			t.Errorf("%s: %+v", allocation, st)
		}
	}
}

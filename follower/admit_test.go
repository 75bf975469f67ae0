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
	return batch{events: []tracker.Event{{Verb: tracker.VerbForget, Writer: writer}}, withdrawals: []uint32{xid}}
}

func announce(writer string, id int64) batch {
	return batch{events: []tracker.Event{{Verb: tracker.VerbAnnounce, Writer: writer, To: id}}}
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
	l.apply(announce("a", 9))
	if l.position() != 9 {
		t.Fatalf("position %d while a is at 9", l.position())
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
		withdrawals: []uint32{100},
	})
	if l.position() != 3 || !l.mu.writers["a"] || len(l.mu.withdrawn) != 0 {
		t.Fatalf("position %d, writers %v, withdrawn %v", l.position(), l.mu.writers, l.mu.withdrawn)
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

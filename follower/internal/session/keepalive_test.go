package session

import (
	"testing"

	"github.com/tidemark-pg/tidemark/decoder"
	"github.com/tidemark-pg/tidemark/follower/internal/gate"
)

// RULES 2: while a large transaction is sent the server tells in between how
// far it has read, which is beyond that one's commit. It says nothing of what
// is still on its way.
func TestAKeepaliveInsideATransactionConfirmsNothing(t *testing.T) {
	s := &session{}
	s.pipe.init()
	r := &reader{session: s}
	keepalive := func() {
		t.Helper()
		if err := r.keepalive(500, false); err != nil {
			t.Fatal(err)
		}
	}
	r.open = true
	keepalive()
	if got := s.pipe.confirmable(); got != 0 {
		t.Errorf("%s may be forgotten, while a transaction is being received", got)
	}
	r.commit.Runs = []gate.Run{{Rows: 1}}
	if err := r.committed(t.Context(), &decoder.Event{CommitLSN: 200, EndLSN: 250}); err != nil {
		t.Fatal(err)
	}
	keepalive()
	if got := s.pipe.confirmable(); got != 200 {
		t.Errorf("up to %s may be forgotten, while a commit at 200 waits at the gate", got)
	}
	s.pipe.clear(gate.Snapshot{}, nil)
	if got := s.pipe.confirmable(); got != 200 {
		t.Errorf("up to %s may be forgotten: the snapshot does not see the commit", got)
	}
	all, err := gate.ParseSnapshot("100:100:")
	if err != nil {
		t.Fatal(err)
	}
	s.pipe.clear(all, nil)
	if got := s.pipe.confirmable(); got != 500 {
		t.Errorf("up to %s may be forgotten where nothing waits, want 0/1F4", got)
	}
}

package follower_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/nettest"
)

// A server that accepts and then says nothing is noticed within 10 s.
func TestASilentServerIsNoticed(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	p := nettest.NewRelay(t, nettest.To(fmt.Sprintf("127.0.0.1:%d", b.cluster.Port())))
	_, s := b.follow(eventsConfig("postgres://postgres@" + p.Address() + "/postgres"))
	b.following(s)
	id := b.insert(b.sql, "a")
	b.reach(s, id)
	b.streaming()
	p.Stall()
	stalled := time.Now()
	st := b.await(s, "reconnecting", func(st follower.Status) bool { return st.State == follower.StateReconnecting })
	if took := time.Since(stalled); took > 10*time.Second {
		t.Errorf("noticed after %s", took)
	}
	if st.Position != id {
		t.Errorf("position %d, was %d", st.Position, id)
	}
	p.Heal()
	b.following(s)
	b.reach(s, b.insert(b.sql, "a"))
}

package follower_test

import (
	"fmt"
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/nettest"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// Two standbys that were promoted apart share system and timeline. Whoever comes
// from the one to the other begins a new epoch: an id is another row there.
// RULES 11.
func TestPrimariesPromotedApartAreTwoEpochs(t *testing.T) {
	t.Parallel()
	b := newBed(t, keptSchema)
	one, other := pgtest.Standby(t, b.cluster, "one"), pgtest.Standby(t, b.cluster, "other")
	to := func(port int) func() string { return nettest.To(fmt.Sprintf("127.0.0.1:%d", port)) }
	cable := nettest.NewRelay(t, to(one.Port()))
	cfg := eventsConfig(fmt.Sprintf("postgres://postgres@%s,127.0.0.1:%d/postgres", cable.Address(), other.Port()))
	cfg.Published.Table = "public.tidemark_positions"
	b.insert(b.sql, "both")
	pgtest.AwaitReplay(t, b.cluster, one)
	pgtest.AwaitReplay(t, b.cluster, other)
	b.ok(b.cluster.Kill())
	b.ok(one.Promote(t.Context()))
	b.url = one.URL("", "")
	b.sql = b.connect()
	_, s := b.follow(cfg)
	b.following(s)
	b.reach(s, b.insert(b.sql, "one"))
	epoch := s.Epoch()

	b.ok(other.Promote(t.Context()))
	there := pgtest.ConnectURL(t, other.URL("", ""))
	last := int64(0)
	for range 5 {
		last = b.insert(there, "other")
	}
	pgtest.Exec(t, there, "SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000000))") // WAL beyond the one's
	cable.Lead(to(1))                                                                            // nobody listens there
	st := b.await(s, "following the other", func(st follower.Status) bool {
		return st.State == follower.StateFollowing && st.Position >= last
	})
	if st.Epoch == epoch {
		t.Errorf("position %d of one history and %d of another in epoch %s", last-4, st.Position, epoch)
	}
}

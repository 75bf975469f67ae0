package follower_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/nettest"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// Of several primaries that can be reached the one on the highest timeline is
// followed: also where a former one comes back and stands first, and where a
// standby is promoted while the former one runs on.
func TestTheNewestPrimaryIsFollowed(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]bool{"the former one comes back": true, "both run": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, events)
			standby := pgtest.Standby(t, b.cluster, "standby")
			pgtest.AwaitReplay(t, b.cluster, standby)
			cfg := eventsConfig(fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/postgres", b.cluster.Port(), standby.Port()))
			_, s := b.follow(cfg)
			b.following(s)
			b.reach(s, b.insert(b.sql, "both"))
			pgtest.AwaitReplay(t, b.cluster, standby)
			old := s.Epoch()
			newEpoch := func(st follower.Status) bool { return st.State == follower.StateFollowing && st.Epoch != old }

			if back {
				b.ok(b.cluster.Kill())
			}
			b.ok(standby.Promote(t.Context()))
			b.await(s, "following in a new epoch", newEpoch)
			if back {
				b.ok(b.cluster.StartAgain(t.Context()))
			}
			b.url = standby.URL("", "")
			b.sql = b.connect()
			// Every connection is made anew, with both in reach.
			b.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tidemark'")
			for range 3 {
				b.reach(s, b.insert(b.sql, "new"))
			}
			b.await(s, "following", newEpoch)
			_, second := b.follow(cfg) // one that starts now
			b.await(second, "the newest from the start", func(st follower.Status) bool {
				return st.State == follower.StateFollowing && st.Position >= s.CurrentToken()
			})
		})
	}
}

// RULES 11: an older history is not returned to, also where one address leads
// to whoever is thought the primary.
func TestAFormerPrimaryBehindOneAddressIsNotFollowed(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	standby := pgtest.Standby(t, b.cluster, "standby")
	address := func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
	former, next := address(b.cluster.Port()), address(standby.Port())
	relay := nettest.NewRelay(t, nettest.To(former))
	_, s := b.follow(eventsConfig(fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable", relay.Address())))
	b.following(s)
	b.reach(s, b.insert(b.sql, "both"))
	pgtest.AwaitReplay(t, b.cluster, standby)
	old := s.Epoch()
	b.ok(standby.Promote(t.Context()))
	relay.Lead(nettest.To(next))
	b.await(s, "following in a new epoch", func(st follower.Status) bool { return st.State == follower.StateFollowing && st.Epoch != old })
	epoch, position := s.Epoch(), s.CurrentToken()

	relay.Lead(nettest.To(former))
	b.exec("INSERT INTO events (instance_name) SELECT 'lost' FROM generate_series(1, 10)")
	st := b.await(s, "it says so", func(st follower.Status) bool { return strings.Contains(st.Reason, "timeline 1") || st.Epoch != epoch })
	if st.Epoch != epoch || st.Position != position || st.State == follower.StateFollowing {
		t.Errorf("%s, position %d in epoch %s: want to wait at %d in %s", st.State, st.Position, st.Epoch, position, epoch)
	}
	relay.Lead(nettest.To(next))
	b.following(s)
}

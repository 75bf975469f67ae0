package follower_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// A primary that crashed with a standby promoted that had not got everything:
// a new epoch, loaded afresh, on the other host of the connection string.
func TestAFailoverIsANewEpoch(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	standby := pgtest.Standby(t, b.cluster, "standby")
	pgtest.AwaitReplay(t, b.cluster, standby)
	cfg := eventsConfig(fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/postgres", b.cluster.Port(), standby.Port()))
	cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark"}
	_, s := b.follow(cfg)
	b.following(s)
	for range 5 {
		b.reach(s, b.insert(b.sql, "both"))
	}
	pgtest.AwaitReplay(t, b.cluster, standby)
	// What a standby has received it replays when it is promoted, so it is cut off.
	b.ok(standby.SetSettings(t.Context(), map[string]string{"primary_conninfo": ""}))
	b.until("the standby receives nothing", "SELECT count(*) = 0 FROM pg_stat_replication WHERE application_name = 'standby'")
	b.exec("INSERT INTO events (instance_name) SELECT 'lost' FROM generate_series(1, 60)") // more than nextval logs ahead
	lost := int64(0)
	for range 5 {
		lost = b.insert(b.sql, "lost")
		b.reach(s, lost)
	}
	old := s.Epoch()
	failed := make(chan error, 1)
	go func() { failed <- s.WaitFor(t.Context(), follower.Target{Position: lost + 1000, Epoch: old}) }()

	b.ok(b.cluster.Kill())
	killed := time.Now()
	b.await(s, "not following in the old epoch", func(st follower.Status) bool { return st.State != follower.StateFollowing })
	if took := time.Since(killed); took > 2*time.Second {
		t.Errorf("following in the old epoch for %s after the crash", took)
	}
	b.ok(standby.Promote(t.Context()))
	promoted := time.Now()
	st := b.await(s, "following in a new epoch", func(st follower.Status) bool {
		return st.State == follower.StateFollowing && st.Epoch != old
	})
	if took := time.Since(promoted); took > 12*time.Second {
		t.Errorf("ready in the new epoch %s after the promotion", took)
	}
	var changed *follower.EpochError
	if err := <-failed; !errors.As(err, &changed) {
		t.Errorf("a waiter of the old epoch: %v", err)
	}
	b.url = standby.URL("", "")
	b.sql = b.connect()
	id := b.insert(b.sql, "new")
	if id > lost {
		t.Errorf("drew %d after %d was lost: the standby was not behind", id, lost)
	}
	b.reach(s, id)
	if st = s.Status(); st.Position < id || st.LateRows != 0 {
		t.Errorf("%+v", st)
	}
	t.Logf("position %d in epoch %s, %d in %s", lost, old, st.Position, st.Epoch)
}

package follower_test

import (
	"strings"
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// RULES 14: a standby that crashed comes back earlier than it was, and lets
// readers in. It counts again once it shows what had been published.
func TestAStandbyThatComesBackEarlierDoesNotCount(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	standby := pgtest.Standby(t, b.cluster, "standby", // which writes nothing of what it replays to its files
		pgtest.Setting("bgwriter_lru_maxpages", "0"), pgtest.Setting("checkpoint_timeout", "1h"))
	cfg := eventsConfig(b.url)
	cfg.Readers = []string{standby.URL("", "")}
	_, s := b.follow(cfg)
	b.following(s)
	var last int64
	for range 5 {
		last = b.insert(b.sql, "a")
		b.reach(s, last)
	}

	b.ok(standby.Kill())
	b.await(s, "not following", func(st follower.Status) bool { return st.State != follower.StateFollowing })
	// It replays what it has once more, but no commit for now.
	b.ok(standby.SetSettings(t.Context(), map[string]string{"recovery_min_apply_delay": "1h"}))
	b.ok(standby.StartAgain(t.Context()))
	st := b.await(s, "it is connected to, and too early", func(st follower.Status) bool {
		return st.State == follower.StateFollowing || strings.Contains(st.Reason, "it has replayed up to")
	})
	var rows int64
	b.ok(pgtest.Connect(t, standby).QueryRow(t.Context(), "SELECT count(*) FROM events").Scan(&rows))
	if rows == last {
		t.Fatal("the standby shows every row: the test shows nothing")
	}
	if st.State == follower.StateFollowing {
		t.Errorf("following, at %d, while the standby shows %d rows", st.Position, rows)
	}
	b.ok(standby.SetSettings(t.Context(), map[string]string{"recovery_min_apply_delay": "0"}))
	b.following(s)
	b.reach(s, b.insert(b.sql, "a"))
}

// RULES 13: a standby counts while it is one. Promoted it replays nothing more,
// and shows rows of its own.
func TestAStandbyThatIsPromotedDoesNotCount(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	standby := pgtest.Standby(t, b.cluster, "standby")
	cfg := eventsConfig(b.url)
	cfg.Readers = []string{standby.URL("", "")}
	_, s := b.follow(cfg)
	b.following(s)
	b.ok(standby.Promote(t.Context()))
	st := b.await(s, "not following", func(st follower.Status) bool { return st.State != follower.StateFollowing })
	if !strings.Contains(st.Reason, "standby 127.0.0.1:") {
		t.Errorf("reason %q", st.Reason)
	}
}

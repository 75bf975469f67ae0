package follower_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// RULES 13: nobody who reads on a standby misses a row either.
func TestNoReaderOnAStandbyMissesARow(t *testing.T) {
	b := newBed(t, proofSchema)
	standby := pgtest.Standby(t, b.cluster, "standby")
	cfg := proofConfig(b.url)
	cfg.Readers = []string{standby.URL("", "")}
	_, s := b.follow(cfg)
	b.following(s)
	r, missed, rows := b.proofOn(pgtest.Connect(t, standby), 5*time.Second,
		func() (int64, error) { return s.CurrentToken(), nil },
		func(newest int64) { b.reach(s, newest) })
	if missed != 0 || r.backward != 0 {
		t.Errorf("%d of %d rows missed, %d steps back", missed, rows, r.backward)
	}
	if rows < 100 || r.last < 100 {
		t.Errorf("only %d rows up to %d: this proves nothing", rows, r.last)
	}
}

// A position is published once it is visible on the standby, not before; and
// without one that is down it stands still, and says why.
func TestAPositionWaitsForTheStandby(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	standby := pgtest.Standby(t, b.cluster, "standby")
	cfg := eventsConfig(b.url)
	cfg.Readers = []string{standby.URL("", "")}
	cfg.ReaderTimeout = 3 * time.Second
	_, s := b.follow(cfg)
	b.following(s)
	b.streaming()
	there := b.insert(b.sql, "a")
	b.reach(s, there)

	on := pgtest.Connect(t, standby)
	pgtest.Exec(t, on, "SELECT pg_wal_replay_pause()")
	paused := b.insert(b.sql, "a")
	time.Sleep(300 * time.Millisecond) // on the primary it would have been covered long since
	if p := s.CurrentToken(); p >= paused {
		t.Fatalf("position %d, which the standby does not show", p)
	}
	st := b.await(s, "the standby is named", func(st follower.Status) bool { return len(st.HeldBy) > 0 })
	if by := st.HeldBy[0]; by.PID != nil || by.State == nil || *by.State != follower.HolderStandby ||
		by.ApplicationName == nil || !strings.Contains(*by.ApplicationName, "127.0.0.1:") || by.Since == nil || st.UnsettledSince.IsZero() {
		t.Errorf("held by %+v since %s, want the standby", by, st.UnsettledSince)
	}
	pgtest.Exec(t, on, "SELECT pg_wal_replay_resume()")
	b.reach(s, paused)

	b.ok(standby.Kill())
	st = b.await(s, "not following", func(st follower.Status) bool { return st.State == follower.StateReconnecting })
	if !strings.Contains(st.Reason, "standby") {
		t.Errorf("reason %q", st.Reason)
	}
	down := b.insert(b.sql, "a")
	st = b.await(s, "halted", func(st follower.Status) bool { return st.State == follower.StateHalted })
	if !strings.Contains(st.Reason, "publication has stopped") || st.Position >= down {
		t.Errorf("position %d, reason %q", st.Position, st.Reason)
	}
	b.ok(standby.StartAgain(t.Context()))
	b.following(s)
	b.reach(s, down)
}

// RULES 13: a fence tells of whatever ended until it was done, so the standby
// has to replay as much, not only up to where the fence was made.
func TestAFenceWaitsForWhatTheStandbyLacks(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	standby := pgtest.Standby(t, b.cluster, "standby")
	cfg := eventsConfig(b.url)
	cfg.Readers = []string{standby.URL("", "")}
	cfg.Slot.Kind = follower.SlotNone // positions come from the fence alone
	_, s := b.follow(cfg)
	b.following(s)
	open := b.begin()
	id := b.insert(open, "a")
	b.await(s, "the fence is made", func(st follower.Status) bool { return st.Allocated >= id })
	b.exec("CREATE TABLE other ()") // puts the draw on disk
	pgtest.AwaitReplay(t, b.cluster, standby)
	on := pgtest.Connect(t, standby)
	pgtest.Exec(t, on, "SELECT pg_wal_replay_pause()")
	for paused := ""; paused != "paused"; {
		b.ok(on.QueryRow(t.Context(), "SELECT pg_get_wal_replay_pause_state()").Scan(&paused))
	}
	b.ok(open.Commit(t.Context()))
	time.Sleep(500 * time.Millisecond) // without a standby it would have been published by now
	if p := s.CurrentToken(); p >= id {
		t.Errorf("position %d, which the standby does not show", p)
	}
	pgtest.Exec(t, on, "SELECT pg_wal_replay_resume()")
	b.reach(s, id)
}

func TestAStandbyThatIsDownIsLeftOut(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	standby := pgtest.Standby(t, b.cluster, "standby")
	cfg := eventsConfig(b.url)
	cfg.Readers = []string{standby.URL("", "")}
	cfg.ReaderTimeout, cfg.ReaderPolicy = time.Second, follower.ReaderDrop
	_, s := b.follow(cfg)
	b.following(s)
	b.ok(standby.Kill())
	id := b.insert(b.sql, "a")
	b.reach(s, id)
	b.following(s)
}

// check looks at the standbys too: a preflight that passes and a daemon that
// publishes nothing would be no preflight.
func TestCheckLooksAtTheStandbys(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	standby, other := pgtest.Standby(t, b.cluster, "standby"), pgtest.Start(t)
	gone := pgtest.Standby(t, b.cluster, "gone")
	b.ok(gone.Kill())
	check := func(policy follower.ReaderPolicy, readers ...string) []follower.Finding {
		t.Helper()
		cfg := eventsConfig(b.url)
		cfg.Readers, cfg.ReaderPolicy = readers, policy
		f, err := follower.New(cfg)
		b.ok(err)
		all, err := f.Check(t.Context())
		b.ok(err)
		var found []follower.Finding
		for _, one := range all {
			if strings.HasPrefix(one.Name, "reader 127.0.0.1:") {
				found = append(found, one)
			}
		}
		if len(found) != len(readers) {
			t.Fatalf("%d findings about %d readers: %+v", len(found), len(readers), all)
		}
		return found
	}
	found := check(follower.ReaderHalt, standby.URL("", ""), gone.URL("", ""), b.url, other.URL("", ""))
	if good := found[0]; !good.OK || good.Fix != "" || good.Detail != "it replays the primary's timeline 1" {
		t.Errorf("the standby: %+v", good)
	}
	for i, words := range []string{"connect", "not in recovery", "does not show the primary's rows"} {
		if f := found[i+1]; f.OK || !strings.Contains(f.Detail, words) || !strings.Contains(f.Fix, "database.readers") {
			t.Errorf("%s: %+v", words, f)
		}
	}
	if warning := check(follower.ReaderDrop, gone.URL("", ""))[0]; !warning.OK || warning.Fix == "" {
		t.Errorf("one that positions go on without: %+v", warning)
	}
}

package follower_test

import (
	"strings"
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
)

// Daemons that start together, where none was before, agree on the epoch: a
// reader of the table would see it change with each takeover, and come back.
func TestDaemonsThatStartTogetherShareTheEpoch(t *testing.T) {
	t.Parallel()
	b := newBed(t, keptSchema)
	var all []*follower.Stream
	for range 6 {
		_, s := b.follow(keptConfig(b.url))
		all = append(all, s)
	}
	first := b.await(all[0], "a position", func(st follower.Status) bool { return st.Known }).Epoch
	for _, s := range all {
		st := b.await(s, "a position", func(st follower.Status) bool { return st.Known })
		if st.Epoch != first {
			t.Errorf("epochs %s and %s of one history", first, st.Epoch)
		}
	}
}

// Ids that start over begin one new epoch, not one for each daemon: who takes
// over from another would tell of a third, and the table of both in turn.
func TestDaemonsAgreeOnTheEpochOfIdsThatStartOver(t *testing.T) {
	t.Parallel()
	b := newBed(t, keptSchema)
	_, first := b.follow(keptConfig(b.url))
	b.following(first)
	_, second := b.follow(keptConfig(b.url))
	b.exec("INSERT INTO events (instance_name) SELECT 'old' FROM generate_series(1, 1000)")
	all := []*follower.Stream{first, second}
	for _, s := range all {
		b.await(s, "the old rows", func(st follower.Status) bool { return st.Position == 1000 })
	}
	old := first.Epoch()
	b.exec("BEGIN; DELETE FROM events; SELECT setval('events_id_seq', 2); COMMIT")
	id := b.insert(b.sql, "new")
	b.until("the new position is kept", "SELECT position = $1 FROM tidemark_positions", id)
	var kept string
	b.ok(b.sql.QueryRow(t.Context(), "SELECT epoch FROM tidemark_positions").Scan(&kept))
	if kept == old {
		t.Error("the old epoch is kept with the new position")
	}
	for _, s := range all {
		st := b.await(s, "another epoch", func(st follower.Status) bool { return st.Known && st.Epoch != old })
		if st.Epoch != kept {
			t.Errorf("epoch %s, kept is %s", st.Epoch, kept)
		}
	}
}

// A daemon that did not see ids start over, because they had passed its position
// when it looked, learns of it from the one that did.
func TestADaemonLearnsFromTheTableThatIdsStartedOver(t *testing.T) {
	t.Parallel()
	b := newBed(t, keptSchema)
	_, s := b.follow(keptConfig(b.url))
	b.following(s)
	b.reach(s, b.insert(b.sql, "old"))
	b.until("it is kept", "SELECT position = 1 FROM tidemark_positions")
	b.exec("UPDATE tidemark_positions SET nonce = 'another', position = 0, epoch = 'another'")
	b.reach(s, b.insert(b.sql, "new"))
	b.until("the new position is kept under the new epoch", "SELECT position = 2 AND nonce = 'another' AND epoch LIKE '%/another' FROM tidemark_positions")
	b.await(s, "the new epoch", func(st follower.Status) bool { return st.Known && strings.HasSuffix(st.Epoch, "/another") })
}

// A connection that is lost while the stream is enrolled is no reason to go on
// without keeping positions, and under another epoch.
func TestAConnectionLostWhileEnrolling(t *testing.T) {
	t.Parallel()
	b := newBed(t, keptSchema)
	s, stop := b.run(keptConfig(b.url))
	b.following(s)
	b.reach(s, b.insert(b.sql, "a"))
	epoch := s.Epoch()
	stop()

	holder := b.connect()
	_, err := holder.Exec(t.Context(), "BEGIN; SELECT FROM tidemark_positions FOR UPDATE")
	b.ok(err)
	_, s = b.follow(keptConfig(b.url))
	waiting := "FROM pg_stat_activity WHERE application_name LIKE 'tidemark%' AND wait_event_type = 'Lock'"
	b.until("it waits for the row", "SELECT count(*) = 1 "+waiting)
	b.exec("SELECT pg_terminate_backend(pid) " + waiting)
	_, err = holder.Exec(t.Context(), "COMMIT")
	b.ok(err)
	b.following(s)
	id := b.insert(b.sql, "a")
	b.reach(s, id)
	if s.Epoch() != epoch {
		t.Errorf("epoch %s, was %s", s.Epoch(), epoch)
	}
	b.until("the position is kept", "SELECT position = $1 FROM tidemark_positions", id)
}

// A position that could not be written is written as soon as that is possible,
// also where nothing moves any more.
func TestAPositionThatCouldNotBeKeptIsKeptLater(t *testing.T) {
	t.Parallel()
	b := newBed(t, keptSchema)
	_, s := b.follow(keptConfig(b.url))
	b.following(s)
	b.reach(s, b.insert(b.sql, "a"))
	b.until("it is kept", "SELECT position = 1 FROM tidemark_positions")
	holder := b.connect()
	_, err := holder.Exec(t.Context(), "BEGIN; SELECT FROM tidemark_positions FOR UPDATE")
	b.ok(err)
	b.reach(s, b.insert(b.sql, "a"))
	waiting := "FROM pg_stat_activity WHERE application_name LIKE 'tidemark%' AND wait_event_type = 'Lock'"
	b.until("it waits for the row", "SELECT count(*) = 1 "+waiting)
	b.exec("SELECT pg_terminate_backend(pid) " + waiting)
	_, err = holder.Exec(t.Context(), "COMMIT")
	b.ok(err)
	b.until("it is kept after all", "SELECT position = 2 FROM tidemark_positions")
}

// A sequence that is locked while a follower starts keeps its stream waiting; it
// is no reason to go on under another epoch, without keeping positions.
func TestASequenceLockedWhileEnrolling(t *testing.T) {
	t.Parallel()
	b := newBed(t, keptSchema)
	s, stop := b.run(keptConfig(b.url))
	b.following(s)
	b.reach(s, b.insert(b.sql, "a"))
	epoch := s.Epoch()
	stop()

	holder := b.connect()
	_, err := holder.Exec(t.Context(), "BEGIN; ALTER SEQUENCE events_id_seq SET LOGGED")
	b.ok(err)
	_, s = b.follow(keptConfig(b.url))
	b.await(s, "it says so", func(st follower.Status) bool { return strings.Contains(st.Reason, "lock") })
	_, err = holder.Exec(t.Context(), "ROLLBACK")
	b.ok(err)
	b.following(s)
	id := b.insert(b.sql, "a")
	b.reach(s, id)
	if s.Epoch() != epoch {
		t.Errorf("epoch %s, was %s", s.Epoch(), epoch)
	}
	b.until("the position is kept", "SELECT position = $1 FROM tidemark_positions", id)
}

// Where the table could not be asked when ids started over, for its row is
// locked, the epoch that was drawn without it comes into it later. The epoch
// that is over stays over.
func TestAnEpochThatCouldNotBeAgreedOnIsNotTakenBack(t *testing.T) {
	t.Parallel()
	b := newBed(t, keptSchema)
	_, s := b.follow(keptConfig(b.url))
	b.following(s)
	b.exec("INSERT INTO events (instance_name) SELECT 'old' FROM generate_series(1, 1000)")
	b.reach(s, 1000)
	b.until("it is kept", "SELECT position = 1000 FROM tidemark_positions")
	old := s.Epoch()
	holder := b.connect()
	_, err := holder.Exec(t.Context(), "BEGIN; SELECT FROM tidemark_positions FOR UPDATE")
	b.ok(err)
	b.exec("BEGIN; DELETE FROM events; SELECT setval('events_id_seq', 2); COMMIT")
	now := b.await(s, "another epoch", func(st follower.Status) bool { return st.Known && st.Epoch != old }).Epoch
	_, err = holder.Exec(t.Context(), "COMMIT")
	b.ok(err)
	id := b.insert(b.sql, "new")
	b.reach(s, id)
	b.until("the new position is kept", "SELECT position = $1 FROM tidemark_positions", id)
	if is := s.Epoch(); is != now {
		t.Errorf("epoch %s, after %s and %s", is, old, now)
	}
	b.until("the new epoch is kept", "SELECT epoch = $1 FROM tidemark_positions", now)
}

// Where somebody has emptied the table, its rows are made again; nothing has
// happened to the ids.
func TestARowThatWasDeletedIsMadeAgain(t *testing.T) {
	t.Parallel()
	b := newBed(t, keptSchema)
	_, s := b.follow(keptConfig(b.url))
	b.following(s)
	b.reach(s, b.insert(b.sql, "a"))
	b.until("it is kept", "SELECT position = 1 FROM tidemark_positions")
	epoch := s.Epoch()
	b.exec("DELETE FROM tidemark_positions")
	b.reach(s, b.insert(b.sql, "a"))
	b.until("the position is kept", "SELECT count(*) = 1 FROM tidemark_positions WHERE position = 2 AND epoch = $1", epoch)
	if is := s.Epoch(); is != epoch {
		t.Errorf("epoch %s, was %s", is, epoch)
	}
}

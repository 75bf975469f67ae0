package follower_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/tracker"
	"github.com/tidemark-pg/tidemark/tracker/allocator"
)

// RULES 16: an idle writer that follows the stream itself announces how far the
// sequence has gone. That may be an id of a newcomer whose registration its slot
// has not brought yet: so its own position counts only when it comes back, behind
// that registration. One that took it at once would lose the newcomer's row.
func TestOwnPositionComesBackBehindRegistrations(t *testing.T) {
	t.Parallel()
	b := newBed(t, reference)
	pool, err := pgxpool.New(t.Context(), b.url)
	b.ok(err)
	t.Cleanup(pool.Close)
	a, err := allocator.Open(t.Context(), pool, allocator.Config{
		Stream: "events", Instance: "a", Sequence: "events_stream_seq", IdleInterval: 20 * time.Millisecond,
		Tables: []allocator.Table{{Name: "events", IDColumn: "stream_ordering", InstanceColumn: "instance_name"}},
	})
	b.ok(err)
	_, s := b.follow(referenceConfig(b.url))
	tell := func(tracker.Move) {
		a.Apply([]tracker.Event{{Verb: tracker.VerbSettle, To: s.CurrentToken()}})
	}
	t.Cleanup(s.Subscribe(tell))
	tell(tracker.Move{})
	b.following(s)
	b.streaming()

	var walsender int
	b.ok(b.sql.QueryRow(t.Context(), "SELECT pid FROM pg_stat_replication WHERE application_name = 'tidemark'").Scan(&walsender))
	b.ok(syscall.Kill(walsender, syscall.SIGSTOP))
	defer func() { _ = syscall.Kill(walsender, syscall.SIGCONT) }() // it may have gone on, and ended
	b.announce("events", "newcomer", 0)
	open := b.draw("events_stream_seq")
	b.until("a announces the newcomer's open id", "SELECT stream_id >= $1 FROM stream_positions WHERE instance_name = 'a'", open)
	naive, known := a.CurrentTokenForWriter("a"), s.Positions()
	delete(known, "a")
	for _, position := range known {
		naive = min(naive, position)
	}
	if naive < open {
		t.Errorf("with the own position taken at once it would be %d (others: %v), and not cover %d: the scene shows nothing", naive, known, open)
	}
	stillOpen := func(when string) {
		t.Helper()
		if mine, followed := a.CurrentToken(), s.CurrentToken(); mine >= open || followed >= open {
			t.Errorf("%s: position %d, the follower's %d, while %d is open", when, mine, followed, open)
		}
	}
	stillOpen("before the echo")
	b.ok(syscall.Kill(walsender, syscall.SIGCONT))
	// Both are behind the registration in the WAL, and on the other side of it.
	b.await(s, "the echo", func(st follower.Status) bool {
		_, there := st.Writers["newcomer"]
		return there && st.Writers["a"] >= open
	})
	stillOpen("after the echo")
	b.row(open, "newcomer")
	b.announce("events", "newcomer", open)
	b.reach(s, open)
	b.ok(a.Wait(t.Context(), open))
	b.ok(a.Close(t.Context()))
}

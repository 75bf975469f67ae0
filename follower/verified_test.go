package follower

import (
	"testing"
	"time"

	"github.com/jackc/pglogrepl"

	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

// RULES 14: a standby that crashed comes back earlier than it was: it counts
// again once it shows what had been published, and nothing is published before.
func TestAStandbyCountsOnceItShowsWhatWasPublished(t *testing.T) {
	of := &readers{Follower: &Follower{}, news: make(chan struct{}, 1)}
	of.cfg.ReaderTimeout = time.Hour
	dialer, err := server.NewStandbyDialer("postgres://127.0.0.1:1/postgres", "tidemark")
	if err != nil {
		t.Fatal(err)
	}
	d := &reader{of: of, dialer: dialer, work: make(chan struct{}, 1)}
	of.all = []*reader{d}
	const published = pglogrepl.LSN(100)
	for _, c := range []struct {
		lost bool
		at   pglogrepl.LSN
		want bool
	}{
		{at: 99, want: false},
		{at: 100, want: true},
		{at: 150, want: true},
		{lost: true, at: 99, want: false},
		{at: 100, want: true},
	} {
		if c.lost {
			d.lost("the connection broke")
			if at, ok := of.shown(); ok {
				t.Errorf("%s counts of a standby whose connection broke", at)
			}
		}
		d.replayed(c.at, published)
		at, ok := of.shown()
		if ok != c.want || ok && at != c.at {
			t.Errorf("replayed up to %s where %s was published: %s counts, %v; want %v", c.at, published, at, ok, c.want)
		}
	}
}

// RULES 3 and 11: a session counts on the history that positions come from, and
// where that has not gone back behind one.
func TestWhichSessionsAreTrusted(t *testing.T) {
	g := &footing{identity: server.Identity{System: "1", Timeline: 2, Started: 5}}
	for name, c := range map[string]struct {
		id      server.Identity
		trusted bool
	}{
		"the same":         {server.Identity{System: "1", Timeline: 2, Started: 5, Insert: 100}, true},
		"another system":   {server.Identity{System: "2", Timeline: 2, Started: 5, Insert: 100}, false},
		"another timeline": {server.Identity{System: "1", Timeline: 3, Started: 5, Insert: 100}, false},
		"promoted apart":   {server.Identity{System: "1", Timeline: 2, Started: 6, Insert: 100}, false},
		"gone back":        {server.Identity{System: "1", Timeline: 2, Started: 5, Insert: 99}, false},
	} {
		if err := trust(g, c.id, 100); (err == nil) != c.trusted {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/catalog"
	"github.com/tidemark-pg/tidemark/follower/internal/gate"
	"github.com/tidemark-pg/tidemark/follower/internal/server"
	"github.com/tidemark-pg/tidemark/follower/internal/session"
	"github.com/tidemark-pg/tidemark/internal/nettest"
	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

const patience = 20 * time.Second

// told is a receiver that remembers how far sessions came.
type told struct {
	mu    sync.Mutex
	steps []session.Step
}

func (*told) Visible([]gate.Commit, pglogrepl.LSN)    {}
func (*told) Passed(pglogrepl.LSN)                    {}
func (*told) Jumped(context.Context, *pgx.Conn) error { return nil }
func (r *told) Phase(p session.Phase) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps = append(r.steps, p.Step)
}

func (r *told) streams() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.steps) > 0 && r.steps[len(r.steps)-1] == session.Streaming
}

func prepared(t *testing.T, options ...pgtest.Option) (*pgcluster.Cluster, *pgx.Conn) {
	t.Helper()
	c := pgtest.Start(t, options...)
	sql := pgtest.Connect(t, c)
	pgtest.Exec(t, sql, "CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY)",
		"CREATE PUBLICATION tidemark FOR TABLE events",
		"SELECT pg_create_logical_replication_slot('tidemark', 'pgoutput')")
	return c, sql
}

// run is one session on the slot of the server behind url, which ends when it
// streams.
func run(t *testing.T, url string) (streamed bool, err error) {
	t.Helper()
	dialer, err := server.NewDialer(url, "tidemark")
	if err != nil {
		t.Fatal(err)
	}
	conn, identity, err := dialer.SQL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server.Close(conn)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r := &told{}
	ended := make(chan error, 1)
	go func() {
		ended <- session.Run(ctx, session.Config{
			Dialer: dialer, Identity: identity, Slot: session.Slot{Name: "tidemark"},
			Publications: []string{"tidemark"},
			Matches: func(setting string) bool {
				return catalog.MatchesStandbyNames(setting, dialer.ApplicationName())
			},
			Log: slog.New(slog.DiscardHandler), Receiver: r,
		})
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return r.streams(), err
		case <-tick.C:
			if r.streams() {
				cancel()
				<-ended
				return true, nil
			}
		}
	}
}

// RULES 1: a session looks whether writers wait for it before it reads, not
// only at the first commit that already does. So does one whose role may not
// see its own state.
func TestNoSessionBeginsAsAStandby(t *testing.T) {
	t.Parallel()
	c, sql := prepared(t)
	pgtest.Exec(t, sql, "CREATE ROLE plain LOGIN REPLICATION", "GRANT SELECT ON events TO plain")
	set := func(names string) {
		t.Helper()
		if err := c.SetSettings(t.Context(), map[string]string{"synchronous_standby_names": names}); err != nil {
			t.Fatal(err)
		}
	}
	for _, role := range []string{"", "plain"} {
		for _, names := range []string{"*", "FIRST 1 (other, tidemark)"} {
			set("other")
			if streamed, err := run(t, c.URL(role, "")); !streamed {
				t.Fatalf("%q: no session where somebody else is the standby: %v", role, err)
			}
			set(names)
			streamed, err := run(t, c.URL(role, ""))
			var waited *session.SynchronousError
			if streamed || !errors.As(err, &waited) || waited.Setting != names {
				t.Errorf("role %q, synchronous_standby_names = '%s': streams %t, error %v", role, names, streamed, err)
			}
		}
	}
}

// RULES 3: two servers made from the same files are one system on one timeline.
// That the slot of the one is read by somebody else than our walsender, which
// is the other's, is all that tells.
func TestBothSessionsReachOneServer(t *testing.T) {
	t.Parallel()
	one, _ := prepared(t)
	twin := pgtest.Start(t)
	for _, c := range []*pgcluster.Cluster{one, twin} {
		if err := c.Stop(t.Context(), pgcluster.StopFast); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range [][]string{{"rm", "-rf", twin.DataDir()}, {"cp", "-a", one.DataDir(), twin.DataDir()}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", command, err, out)
		}
	}
	for _, c := range []*pgcluster.Cluster{one, twin} {
		if err := c.StartAgain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	address := func(c *pgcluster.Cluster) string { return fmt.Sprintf("127.0.0.1:%d", c.Port()) }
	relay := nettest.NewRelay(t, nettest.To(address(one)))
	url := fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable", relay.Address())
	if streamed, err := run(t, url); !streamed {
		t.Fatalf("no session through the relay: %v", err)
	}
	relay.Sort(func(first []byte) string {
		if bytes.Contains(first, []byte("replication\x00")) {
			return address(twin)
		}
		return address(one)
	})
	streamed, err := run(t, url)
	if streamed || err == nil || !strings.Contains(err.Error(), "must reach the same server") {
		t.Errorf("the slot of another server is read: streams %t, error %v", streamed, err)
	}
	if relay.Made(address(twin)) == 0 {
		t.Error("nobody came to the twin: the test shows nothing")
	}
}

package session_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/tidemark-pg/tidemark/follower/internal/server"
	"github.com/tidemark-pg/tidemark/follower/internal/session"
	"github.com/tidemark-pg/tidemark/internal/nettest"
)

// RULES 3: both connections of a session prove that they reach the system, and
// the timeline, that positions come from: what SQL says of visibility means
// nothing to the transactions of another.
func TestASessionReachesTheServerThatPositionsComeFrom(t *testing.T) {
	t.Parallel()
	one, _ := prepared(t)
	other, _ := prepared(t)
	here, there := fmt.Sprintf("127.0.0.1:%d", one.Port()), fmt.Sprintf("127.0.0.1:%d", other.Port())
	relay := nettest.NewRelay(t, nettest.To(here))
	dialer, err := server.NewDialer(fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable", relay.Address()), "tidemark")
	if err != nil {
		t.Fatal(err)
	}
	conn, identity, err := dialer.SQL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server.Close(conn)
	// read is a session where connections of either kind may lead elsewhere.
	read := func(identity server.Identity, sql, replication string) error {
		relay.Sort(func(first []byte) string {
			if bytes.Contains(first, []byte("replication\x00")) {
				return replication
			}
			return sql
		})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return session.Run(ctx, session.Config{
			Dialer: dialer, Identity: identity, Slot: session.Slot{Name: "tidemark"}, Publications: []string{"tidemark"},
			Log: slog.New(slog.DiscardHandler), Receiver: &told{},
		})
	}
	later := identity
	later.Timeline++
	for what, c := range map[string]struct {
		err   error
		words string
	}{
		"all of it goes elsewhere":   {read(identity, there, there), "while positions come from system " + identity.System},
		"positions are of a later":   {read(later, here, here), "while positions come from system " + identity.System + " on timeline 2"},
		"only replication goes away": {read(identity, here, there), "the replication connection reached system"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.words) {
			t.Errorf("%s: %v", what, c.err)
		}
	}
}

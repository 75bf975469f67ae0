package follower_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/nettest"
)

// Connections that are lost without a word, as behind a firewall that forgets
// them, are noticed and made anew whatever was being waited for: the slot that is
// being made, and the rows that are being loaded. The server, which has not
// noticed, still has the slot of the last session by then.
func TestForgottenConnectionsAreMadeAnew(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		schema string
		waits  string // what the reason says
	}{
		"while the slot is made":    {reference + `; CREATE TABLE unrelated (n int)`, "is being made"},
		"while the rows are loaded": {slow, "rows are read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, c.schema)
			old := b.begin()
			if c.schema != slow {
				_, err := old.Exec(t.Context(), "INSERT INTO unrelated VALUES (1)")
				b.ok(err)
			}
			cable := nettest.NewRelay(t, nettest.To(fmt.Sprintf("127.0.0.1:%d", b.cluster.Port())))
			cfg := referenceConfig("postgres://postgres@" + cable.Address() + "/postgres")
			cfg.Streams = cfg.Streams[:1]
			_, s := b.follow(cfg)
			b.await(s, "it waits", func(st follower.Status) bool { return strings.Contains(st.Reason, c.waits) })
			cable.Forget()
			forgotten := time.Now()
			b.ok(old.Rollback(t.Context()))
			b.following(s)
			t.Logf("following %s after the connections were forgotten", time.Since(forgotten))
		})
	}
}

package follower_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// RULES 1: taken for a synchronous standby, also beside a healthy one, Tidemark
// goes at the first commit that waits for it, which a role can only tell by the
// setting that may not see whose standby it is; wakes the writer, whom the other
// standby would leave waiting until it next has something to reply to; and says
// so. An announced stream cannot go on without the slot.
func TestAWriterBesideAStandbyGoesOn(t *testing.T) {
	t.Parallel()
	b := newBed(t, reference)
	b.exec(`CREATE ROLE plain LOGIN REPLICATION; GRANT SELECT ON ALL TABLES IN SCHEMA public TO plain;
		GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO plain`)
	_, s := b.follow(referenceConfig(b.cluster.URL("plain", "")))
	b.following(s)
	b.streaming()
	pgtest.Standby(t, b.cluster, "standby", pgtest.Setting("wal_receiver_status_interval", "0"))
	// The catalog is looked at every ten seconds, and when the slot was lost:
	// so not again before the writer must be through.
	var before int
	b.ok(b.sql.QueryRow(t.Context(), "SELECT pid FROM pg_stat_replication WHERE application_name = 'tidemark'").Scan(&before))
	_, err := b.sql.Exec(t.Context(), "SELECT pg_terminate_backend($1)", before)
	b.ok(err)
	b.until("the slot is read again", "SELECT count(*) = 1 FROM pg_stat_replication WHERE application_name = 'tidemark' AND state = 'streaming' AND pid <> $1", before)
	time.Sleep(time.Second)

	writer := b.connect()
	b.exec("ALTER SYSTEM SET synchronous_standby_names = '*'")
	b.exec("SELECT pg_reload_conf()")
	b.until("Tidemark is the standby", "SELECT count(*) = 1 FROM pg_stat_replication WHERE application_name = 'tidemark' AND sync_state = 'sync'")
	ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
	defer cancel()
	if _, err := writer.Exec(ctx, "INSERT INTO stream_positions VALUES ('events', 'a', 0)"); err != nil {
		t.Errorf("the writer waits: %v", err)
	}
	b.await(s, "halted", func(st follower.Status) bool {
		return st.State == follower.StateHalted && strings.Contains(st.Reason, "name your standbys")
	})
	b.unhang()
	b.await(s, "following, and the writer known", func(st follower.Status) bool {
		_, known := st.Writers["a"]
		return st.State == follower.StateFollowing && known
	})
}

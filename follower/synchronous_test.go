package follower_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

const (
	plainRole = `CREATE ROLE plain LOGIN REPLICATION; GRANT SELECT ON ALL TABLES IN SCHEMA public TO plain;
		GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO plain`
	readers = "SELECT count(*) = 1 FROM pg_stat_replication WHERE application_name = 'tidemark' AND "
)

// everyStandby has commits wait for whoever reads WAL.
func (b *bed) everyStandby() {
	b.t.Helper()
	b.exec("ALTER SYSTEM SET synchronous_standby_names = '*'")
	b.exec("SELECT pg_reload_conf()")
}

// RULES 1: taken for a synchronous standby beside a healthy one, Tidemark goes
// at the first commit that waits for it, which a role that may not see whose
// standby it is can only tell by the setting; and it wakes the writer, whom the
// other standby would leave waiting until it next has something to reply to.
func TestAWriterBesideAStandbyGoesOn(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	b.exec(plainRole)
	cfg := eventsConfig(b.cluster.URL("plain", ""))
	cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark"}
	_, s := b.follow(cfg)
	b.following(s)
	b.streaming()
	pgtest.Standby(t, b.cluster, "standby", pgtest.Setting("wal_receiver_status_interval", "1h"))
	// Of two that match, the one in the earlier place is the standby: it must not
	// connect while ours is free.
	b.until("the standby is there", "SELECT count(*) = 1 FROM pg_stat_replication WHERE application_name = 'standby' AND state = 'streaming'")
	// The catalog is looked at every ten seconds, and when the slot was lost:
	// so not again before the writer must be through.
	before := b.slotReader("tidemark")
	_, err := b.sql.Exec(t.Context(), "SELECT pg_terminate_backend($1)", before)
	b.ok(err)
	b.until("the slot is read again", readers+"state = 'streaming' AND pid <> $1", before)
	time.Sleep(time.Second)

	writer := b.connect()
	b.everyStandby()
	b.until("Tidemark is the standby", readers+"sync_state = 'sync'")
	ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
	defer cancel()
	var id int64
	if err := writer.QueryRow(ctx, "INSERT INTO events (instance_name) VALUES ('a') RETURNING id").Scan(&id); err != nil {
		t.Fatalf("the writer waits: %v", err)
	}
	b.reach(s, id)
	b.following(s)
}

// RULES 1: an announced stream cannot go on without the slot, and says why.
func TestAnAnnouncedStreamIsHaltedWhereWritersWaitForIt(t *testing.T) {
	t.Parallel()
	b := newBed(t, reference)
	_, s := b.follow(referenceConfig(b.url))
	b.following(s)
	b.streaming()
	writer := b.connect()
	b.everyStandby()
	b.until("the setting is in force", "SELECT setting = '*' FROM pg_settings WHERE name = 'synchronous_standby_names'")
	through := make(chan struct{})
	go func() {
		defer close(through)
		_, err := writer.Exec(context.Background(), "INSERT INTO stream_positions VALUES ('events', 'a', 0)")
		b.check(err)
	}()
	b.await(s, "halted", func(st follower.Status) bool {
		return st.State == follower.StateHalted && strings.Contains(st.Reason, "synchronous_standby_names")
	})
	b.until("Tidemark has left the slot", "SELECT count(*) = 0 FROM pg_stat_replication")
	b.unhang()
	<-through
	b.following(s)
}

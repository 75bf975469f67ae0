package follower_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
)

// RULES 6: who waits to lock a sequence blocks whoever reads it after, though
// nobody has it locked. The stream says so; no other waits for it, and nobody
// else behind us.
func TestAQueuedLockHoldsUpOneStream(t *testing.T) {
	t.Parallel()
	b := newBed(t, events+`;
CREATE TABLE free (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, instance_name text);
ALTER PUBLICATION tidemark ADD TABLE free (id, instance_name)`)
	cfg := eventsConfig(b.url)
	cfg.Streams = append(cfg.Streams, follower.StreamConfig{Name: "free", Tables: table("free", "id", "instance_name")})
	cfg.Slot.Kind = follower.SlotNone // positions come from the sequences alone
	f, s := b.follow(cfg)
	free, _ := f.Stream("free")
	b.following(s)
	b.following(free)

	reads := b.begin()
	_, err := reads.Exec(t.Context(), "SELECT last_value FROM events_id_seq")
	b.ok(err)
	alters, through := b.connect(), make(chan error, 1)
	go func() {
		_, err := alters.Exec(context.Background(), "ALTER SEQUENCE events_id_seq OWNER TO CURRENT_USER")
		through <- err
	}()
	b.until("it is queued", `SELECT count(*) = 1 FROM pg_locks WHERE relation = 'events_id_seq'::regclass
		AND mode LIKE '%Exclusive%' AND NOT granted`)
	b.await(s, "it says why", func(st follower.Status) bool {
		return st.State == follower.StateReconnecting && strings.Contains(st.Reason, "its sequence is locked, or somebody waits to lock it")
	})
	began := time.Now()
	for id := int64(1); id <= 5; id++ {
		b.exec("INSERT INTO free (instance_name) VALUES ('a')")
		b.reach(free, id)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("five rows of the other stream took %s", took)
	}
	b.following(free)
	b.ok(reads.Rollback(t.Context()))
	b.ok(<-through)
	b.following(s) // although nothing was drawn meanwhile, or is now
	b.reach(s, b.insert(b.sql, "a"))
}

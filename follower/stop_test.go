package follower_test

import (
	"context"
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
)

// Whoever comes next finds the slot free as soon as Run has returned.
func TestOrderlyStopFreesTheSlot(t *testing.T) {
	b := newBed(t, events)
	for range 10 {
		cfg := eventsConfig(b.url)
		cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "stopped"}
		f, err := follower.New(cfg)
		b.ok(err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- f.Run(ctx) }()
		b.await(f.Streams()[0], "the slot is read", func(follower.Status) bool { return b.slotReader("stopped") != 0 })
		cancel()
		b.ok(<-ended)
		if pid := b.slotReader("stopped"); pid != 0 {
			t.Fatalf("the slot is still read by pid %d", pid)
		}
	}
}

// slotReader is the process that reads a slot; 0 where nobody does.
func (b *bed) slotReader(slot string) (pid int) {
	b.t.Helper()
	err := b.sql.QueryRow(b.t.Context(),
		"SELECT coalesce(max(active_pid), 0) FROM pg_replication_slots WHERE slot_name = $1", slot).Scan(&pid)
	b.ok(err)
	return pid
}

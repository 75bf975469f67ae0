package follower_test

import (
	"regexp"
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
)

// A slot that was advanced once would have the server decode, for nobody, all
// that follows the first of its records of running transactions: as long as
// the backlog is, and before the first new row is sent.
func TestWhatWasSkippedIsNotDecodedAgain(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	b.exec("SELECT pg_create_logical_replication_slot('tidemark', 'pgoutput')")
	var last string
	for range 3 {
		b.insert(b.sql, "a")
		b.ok(b.sql.QueryRow(t.Context(), "SELECT pg_current_wal_insert_lsn()").Scan(&last))
		b.exec("CHECKPOINT") // writes such a record, as the server does once in 15 s
	}
	cfg := eventsConfig(b.url)
	cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark", SkipAhead: 1}
	_, s := b.follow(cfg)
	b.following(s)
	b.streaming()
	said := regexp.MustCompile(`reading WAL from ([0-9A-F/]+)`).FindAllStringSubmatch(b.cluster.LogTail(1<<20), -1)
	if len(said) == 0 {
		t.Fatal("the server does not say where it reads from")
	}
	from := said[len(said)-1][1]
	var late bool
	b.ok(b.sql.QueryRow(t.Context(), "SELECT $1::text::pg_lsn >= $2::text::pg_lsn", from, last).Scan(&late))
	if !late {
		t.Errorf("the server reads WAL from %s, want from %s on", from, last)
	}
}

package follower_test

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
)

// slowRows are so slow to read, some in a millisecond, that loading them takes
// seconds.
const slowRows = 2500

const slow = `ALTER DATABASE postgres SET enable_seqscan = off; ALTER DATABASE postgres SET enable_bitmapscan = off; -- no sorting first
CREATE TYPE who AS ENUM ('a');
CREATE FUNCTION slowly(who) RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM pg_sleep(0.001); RETURN 'a'; END $$;
CREATE CAST (who AS text) WITH FUNCTION slowly(who);
CREATE TABLE events (stream_ordering bigint PRIMARY KEY, instance_name who);
CREATE SEQUENCE events_stream_seq;
CREATE TABLE stream_positions (stream_name text, instance_name text, stream_id bigint NOT NULL, PRIMARY KEY (stream_name, instance_name));
INSERT INTO stream_positions VALUES ('events', 'a', 0);
INSERT INTO events SELECT nextval('events_stream_seq'), 'a' FROM generate_series(1, 2500);
CREATE PUBLICATION tidemark FOR TABLE events (stream_ordering, instance_name) WITH (publish = 'insert');
CREATE PUBLICATION tidemark_positions FOR TABLE stream_positions WITH (publish = 'insert, update, delete')`

// Who waits for a long load sees how far it is.
func TestALongLoadSaysHowFarItIs(t *testing.T) {
	t.Parallel()
	b := newBed(t, slow)
	cfg := referenceConfig(b.url)
	cfg.Streams = cfg.Streams[:1]
	_, s := b.follow(cfg)
	said := regexp.MustCompile(`^its positions and rows are being loaded: ([0-9,]+) rows are read, up to id (\d+) of 2500 \((\d+) %\)$`)
	st := b.await(s, "to be told how far it is", func(st follower.Status) bool { return said.MatchString(st.Reason) })
	parts := said.FindStringSubmatch(st.Reason)
	at, _ := strconv.Atoi(parts[2])
	share, _ := strconv.Atoi(parts[3])
	if st.State != follower.StateStarting || at == 0 || at >= slowRows || share == 0 || share >= 100 {
		t.Errorf("%s: %s", st.State, st.Reason)
	}
	b.await(s, "all rows", func(st follower.Status) bool {
		return st.State == follower.StateFollowing && st.Reason == "" && st.Position == slowRows
	})
}

// Who takes the slot over is no standby any more, however long its load takes:
// the process that read the slot before is gone.
func TestALongLoadIsNoStandby(t *testing.T) {
	t.Parallel()
	b := newBed(t, slow+`;
		CREATE TABLE quick (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
		ALTER PUBLICATION tidemark ADD TABLE quick (id)`)
	cfg := follower.Config{Database: b.url, Slot: follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark"}}
	cfg.Streams = []follower.StreamConfig{{Name: "quick", Tables: []follower.TableConfig{{Name: "quick", IDColumn: "id"}}}}
	first, err := follower.New(cfg)
	b.ok(err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- first.Run(ctx) }()
	b.streaming()
	both := referenceConfig(b.url)
	cfg.PositionsTable, cfg.Streams = both.PositionsTable, append(cfg.Streams, both.Streams[0])
	f, quick := b.follow(cfg)
	b.await(quick, "standby", func(st follower.Status) bool { return st.State == follower.StateStandby })
	cancel()
	b.ok(<-ended)
	slowly := f.Streams()[1]
	b.await(slowly, "the load", func(st follower.Status) bool { return strings.Contains(st.Reason, "are being loaded: ") })
	if st := quick.Status(); st.State != follower.StateFollowing {
		t.Errorf("the stream beside it is %s: %s", st.State, st.Reason)
	}
}

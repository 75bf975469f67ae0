package daemon

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

const notYet = "not following yet; trying again"

// What every start goes through, a load too, is nothing to warn of.
func TestOrdinaryStartWarnsOfNothing(t *testing.T) {
	t.Parallel()
	_, sql, cfg := setup(t)
	pgtest.Exec(t, sql, `CREATE TABLE stream_positions (stream_name text, instance_name text, stream_id bigint, PRIMARY KEY (stream_name, instance_name));
		ALTER TABLE stream_positions REPLICA IDENTITY USING INDEX stream_positions_pkey;
		CREATE PUBLICATION tidemark_positions FOR TABLE stream_positions;
		INSERT INTO stream_positions VALUES ('events', 'a', 0)`,
		"SELECT pg_create_logical_replication_slot('tidemark', 'pgoutput')")
	cfg.Follower.PositionsTable = "public.stream_positions"
	cfg.Follower.Streams[0].Allocation = follower.AllocationAnnounced
	_, logs := start(t, cfg)
	await(t, "the slot is read", func() bool { return logs.line("reading the slot") != nil })
	if line := logs.line(notYet); line != nil && at(t, line).Sub(at(t, logs.line("starting"))) < ordinary {
		t.Errorf("it says at once %v", line)
	}
}

// at is when a line was logged.
func at(t *testing.T, line map[string]any) time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339, line["time"].(string))
	if err != nil {
		t.Fatal(err)
	}
	return when
}

// A server that cannot be reached is told, with the reason.
func TestStartWithoutServerIsTold(t *testing.T) {
	t.Parallel()
	_, logs := start(t, configuration("postgres://tidemark@127.0.0.1:1/app"))
	await(t, "it is told", func() bool { return logs.line(notYet) != nil })
	if reason, _ := logs.line(notYet)["reason"].(string); reason == "" {
		t.Errorf("no reason in %v", logs.line(notYet))
	}
}

// A reason that says each second how far a load is does not fill the log.
func TestReasonsOfALongStart(t *testing.T) {
	t.Parallel()
	began := time.Now()
	r := newReasons(began)
	var told []int
	for second := range 60 {
		if r.worth(began.Add(time.Duration(second)*time.Second), fmt.Sprint(second, " rows are read")) {
			told = append(told, second)
		}
	}
	if want := []int{2, 12, 22, 32, 42, 52}; !slices.Equal(told, want) {
		t.Errorf("told after the seconds %v, want %v", told, want)
	}
	for range 2 {
		if r.worth(began.Add(time.Hour), "52 rows are read") || r.worth(began.Add(time.Hour), "") {
			t.Error("told again, or told nothing")
		}
	}
}

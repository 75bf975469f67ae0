package catalog_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/catalog"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// RULES 6: a table or sequence that somebody alters is still described: nothing
// waits for its lock.
func testInspectTakesNoLock(t *testing.T, s *server) {
	d := s.database(t)
	tx, err := d.owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"LOCK TABLE events, extra, stream_positions IN ACCESS EXCLUSIVE MODE",
		"ALTER SEQUENCE events_id_seq CACHE 1",
	} {
		if _, err := tx.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	pgtest.Exec(t, d.user, "SET lock_timeout = 1")
	if p := inspect(t, d.user, goodSpec()).Problem(); p != nil {
		t.Errorf("%s: %s", p.Name, p.Detail)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// RULES 5: an inspection leaves no lock on the sequence, whatever transaction
// it is part of.
func testInspectNeverTouchesTheSequence(t *testing.T, s *server) {
	d := s.database(t)
	pgtest.Exec(t, d.user, "BEGIN")
	inspect(t, d.user, goodSpec())
	var locks int
	err := d.owner.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE pid = $1 AND relation = ANY(
		ARRAY['events_id_seq', 'events', 'extra', 'stream_positions']::regclass[]::oid[])`, d.user.PgConn().PID()).Scan(&locks)
	if err != nil {
		t.Fatal(err)
	}
	if locks != 0 {
		t.Errorf("%d locks on the user's tables and sequences", locks)
	}
}

// roundTrips counts what is sent and waited for.
type roundTrips struct{ n int }

func (r *roundTrips) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	r.n++
	return ctx
}

func (r *roundTrips) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (r *roundTrips) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	r.n++
	return ctx
}

func (r *roundTrips) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (r *roundTrips) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

func testFewRoundTrips(t *testing.T, s *server) {
	d := s.database(t)
	config, err := pgx.ParseConfig(s.cluster.URL(d.role, d.name))
	if err != nil {
		t.Fatal(err)
	}
	var trips roundTrips
	config.Tracer = &trips
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	spec := goodSpec()
	for range 50 {
		spec.Streams = append(spec.Streams, spec.Streams[0])
	}
	spec.Streams[7].Tables = []catalog.Table{{Name: "nowhere", IDColumn: "id"}}
	inspect(t, conn, spec)
	if trips.n > 6 {
		t.Errorf("%d round trips for %d streams, want at most 6", trips.n, len(spec.Streams))
	}
}

// A server that does not answer is an error, not a finding.
func testInspectError(t *testing.T, s *server) {
	d := s.database(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	cancel()
	if snap, err := catalog.Inspect(ctx, d.user, goodSpec()); err == nil || snap != nil {
		t.Errorf("Inspect = %v, %v; want an error", snap, err)
	}
}

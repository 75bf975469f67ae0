package follower_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tidemark-pg/tidemark/follower"
)

// synapseStream is a stream of the reference's; both keep their rows in one
// table.
type synapseStream struct {
	name, sequence string
	sign           int64
}

var (
	synapseEvents   = synapseStream{"events", "events_stream_seq", 1}             //tidemark:readonly
	synapseBackfill = synapseStream{"backfill", "events_backfill_stream_seq", -1} //tidemark:readonly
)

// synapseWriter writes as the reference does, to either stream: an id in
// autocommit, the row a little later, then its own position, an UPDATE mostly;
// nothing after a failure, and nothing while idle.
func synapseWriter(ctx context.Context, conn *pgx.Conn, rnd *rand.Rand, name string) error {
	for ctx.Err() == nil {
		fails := rnd.IntN(6) == 0
		stream := synapseEvents
		if rnd.IntN(3) == 0 {
			stream = synapseBackfill
		}
		if err := stream.write(conn, name, time.Duration(rnd.IntN(20))*time.Millisecond, fails); err != nil {
			return err
		}
	}
	return nil
}

func (s synapseStream) write(conn *pgx.Conn, name string, takes time.Duration, fails bool) error {
	ctx := context.Background()
	var id int64
	if err := conn.QueryRow(ctx, "SELECT $1 * nextval($2::text::regclass)", s.sign, s.sequence).Scan(&id); err != nil {
		return err
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "INSERT INTO events VALUES ($1, $2)", id, name); err != nil {
		return err
	}
	time.Sleep(takes)
	if fails {
		return tx.Rollback(ctx)
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, `INSERT INTO stream_positions VALUES ($1, $2, $3)
		ON CONFLICT (stream_name, instance_name) DO UPDATE SET stream_id = excluded.stream_id
		WHERE $4 * stream_positions.stream_id < $4 * excluded.stream_id`, s.name, name, id, s.sign)
	return err
}

// RULES 21: a database whose writers are the reference's. No row is missed, and
// where a writer is idle behind a failed id the position waits for it, by name.
// A reader that takes the furthest announced position for the stream's misses
// rows in the same time.
func TestReferenceWriters(t *testing.T) {
	t.Parallel()
	b := newBed(t, reference)
	names := []string{"a", "b", "c"}
	var conns []*pgx.Conn
	for _, name := range names {
		b.announce("events", name, 0)
		b.announce("backfill", name, 0)
		conns = append(conns, b.connect())
	}
	f, s := b.follow(referenceConfig(b.url))
	back, _ := f.Stream("backfill")
	b.following(s)
	b.following(back)
	b.streaming()
	mirrored := &eyes{b: b, conn: b.connect(), mirrored: true, seen: make(map[int64]bool)}
	e := &eyes{b: b, conn: b.connect(), seen: make(map[int64]bool)}
	naive := &eyes{b: b, conn: b.connect(), seen: make(map[int64]bool)}
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	for i, name := range names {
		rnd := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(i)))
		writing.Go(func() { b.check(synapseWriter(ctx, conns[i], rnd, name)) })
	}
	enough := func() bool {
		naively, _ := naive.missed()
		return len(e.seen) >= 50 && naively > 0
	}
	for begun := time.Now(); time.Since(begun) < time.Second || !enough() && time.Since(begun) < patience; time.Sleep(time.Millisecond) {
		e.read(s.CurrentToken())
		mirrored.read(-back.CurrentToken())
		var furthest int64
		b.ok(naive.conn.QueryRow(t.Context(), "SELECT max(stream_id) FROM stream_positions WHERE stream_name = 'events'").Scan(&furthest))
		naive.read(furthest)
	}
	stop()
	writing.Wait()
	// c fails last, and says nothing: a and b go on, the position does not.
	b.ok(synapseEvents.write(conns[2], "c", 0, true))
	var failed, last int64
	b.ok(b.sql.QueryRow(t.Context(), lastDrawn).Scan(&failed))
	b.ok(synapseEvents.write(conns[0], "a", 0, false))
	b.ok(synapseEvents.write(conns[1], "b", 0, false))
	st := b.await(s, "the idle writer is named", func(st follower.Status) bool {
		return st.Writers["b"] > failed && len(st.HeldBy) == 1 && st.HeldBy[0].Writer != nil && *st.HeldBy[0].Writer == "c"
	})
	if st.Position >= failed {
		t.Errorf("position %d, though c has not said that %d is dead", st.Position, failed)
	}
	b.ok(synapseEvents.write(conns[2], "c", 0, false))
	b.ok(b.sql.QueryRow(t.Context(), lastDrawn).Scan(&last))
	b.reach(s, last)
	e.read(s.CurrentToken())
	mirrored.endOfBackfill(back, conns, names)
	missed, rows := e.missed()
	naively, _ := naive.missed()
	t.Logf("%d rows, %d missed; by the furthest position %d missed", rows, missed, naively)
	if missed > 0 {
		t.Errorf("%d of %d rows missed", missed, rows)
	}
	if naively == 0 {
		t.Error("a naive reader misses nothing: this proves nothing")
	}
	if st := s.Status(); st.LateRows != 0 {
		t.Errorf("%d late rows", st.LateRows)
	}
}

// endOfBackfill has each writer succeed once more, and looks that no row of the
// descending stream was missed either.
func (e *eyes) endOfBackfill(back *follower.Stream, conns []*pgx.Conn, names []string) {
	b := e.b
	b.t.Helper()
	for i, name := range names {
		b.ok(synapseBackfill.write(conns[i], name, 0, false))
	}
	var last int64
	b.ok(b.sql.QueryRow(b.t.Context(), "SELECT last_value FROM events_backfill_stream_seq").Scan(&last))
	b.reach(back, -last)
	e.read(-back.CurrentToken())
	missed, rows := e.missed()
	b.t.Logf("descending: %d rows, %d missed", rows, missed)
	if late := back.Status().LateRows; missed > 0 || late > 0 || rows <= len(names) {
		b.t.Errorf("descending: %d of %d rows missed, %d late", missed, rows, late)
	}
}

// RULES 21: why setup sets the replica identity first. Published without one, the
// table's own users cannot update it any more.
func TestPublishingPositionsWithoutAnIdentityStopsTheirWriters(t *testing.T) {
	t.Parallel()
	with := reference
	without := strings.Replace(reference, "ALTER TABLE stream_positions REPLICA IDENTITY USING INDEX stream_positions_idx;", "", 1)
	if with == without {
		t.Fatal("the schema sets no replica identity")
	}
	for schema, works := range map[string]bool{with: true, without: false} {
		b := newBed(t, schema)
		conn := b.connect()
		err := errors.Join(synapseEvents.write(conn, "a", 0, false), synapseEvents.write(conn, "a", 0, false))
		var refused *pgconn.PgError
		if works != (err == nil) || !works && (!errors.As(err, &refused) || !strings.Contains(refused.Message, "cannot update table")) {
			t.Errorf("identity %v: %v", works, err)
		}
	}
}

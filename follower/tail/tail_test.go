package tail_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/tail"
)

func TestReading(t *testing.T) {
	each(t, map[string]func(*bed){
		"several rows for an id, any batch size":        severalRowsForAnID,
		"limit completes the last id":                   limitCompletesTheLastID,
		"a row that moves between tables comes once":    movedRowComesOnce,
		"an update that draws a new id":                 updateDrawsNewID,
		"no snapshot is kept between batches":           noSnapshotIsKept,
		"nothing above the position":                    nothingAboveThePosition,
		"late commits come in order":                    lateCommitsComeInOrder,
		"position passes ids that were never written":   positionPassesDeadIDs,
		"an ascending and a descending stream, a table": signDecides,
		"partitions, quoted names, small integers":      oddTables,
		"values that JSON has trouble with":             oddValues,
		"batches of large rows are short":               largeRows,
		"the index is used":                             indexIsUsed,
		"columns added meanwhile":                       columnsAddedMeanwhile,
		"run stops with its handler":                    runStopsWithItsHandler,
	})
}

// RULES 22: pages of whole ids, in the arms and outside.
func severalRowsForAnID(b *bed) {
	b.exec(two)
	b.exec(`INSERT INTO a SELECT i, 'w', n FROM generate_series(1, 5) i, generate_series(1, 3) n;
		INSERT INTO b SELECT i, 'w', n FROM generate_series(2, 6) i, generate_series(1, 2) n;
		SELECT setval('ids', 6)`)
	cfg := stream("a", "b")
	positions := b.follow(cfg, follower.SlotNone)
	for _, size := range []int{1, 2, 3, 4, 7, 100} {
		t := b.tailOf(tail.Config{Stream: cfg, Positions: positions, BatchRows: size}, until(6))
		rows, _ := b.all(t)
		b.equal(fmt.Sprintf("ids in batches of %d", size), ids(rows), "1 1 1 2 2 2 2 2 3 3 3 3 3 4 4 4 4 4 5 5 5 5 5 6 6")
		if rows[3].Table != "a" || rows[7].Table != "b" {
			b.Fatalf("tables of id 2: %v", rows[3:8])
		}
	}
}

func limitCompletesTheLastID(b *bed) {
	b.exec(two)
	b.exec(`INSERT INTO a SELECT i, 'w', n FROM generate_series(1, 9) i, generate_series(1, 3) n; SELECT setval('ids', 9)`)
	t := b.tail(stream("a", "b"), func(c *tail.Config) { c.Limit, c.BatchRows, c.After = 7, 2, 2 })
	rows, _ := b.all(t)
	b.equal("ids", ids(rows), "3 3 3 4 4 4 5 5 5")
	if _, err := t.Next(b.Context()); !errors.Is(err, io.EOF) {
		b.Fatalf("after the end: %v", err)
	}
}

// RULES 22: two statements would see the row in both tables or in none.
func movedRowComesOnce(b *bed) {
	b.exec(two)
	b.exec(`INSERT INTO a SELECT i, 'w' FROM generate_series(1, 10) i; SELECT setval('ids', 10)`)
	ctx, cancel := context.WithCancel(b.Context())
	moved := make(chan error, 1)
	mover := b.connect()
	go func() { moved <- keepMoving(ctx, mover) }()
	cfg := stream("a", "b")
	positions := b.follow(cfg, follower.SlotNone)
	t := b.tailOf(tail.Config{Stream: cfg, Positions: positions}, until(10))
	for range 300 {
		rows, _ := b.all(t)
		b.equal("ids", ids(rows), "1 2 3 4 5 6 7 8 9 10")
		tail.Rewind(t)
	}
	cancel()
	if err := <-moved; err != nil {
		b.Fatal(err)
	}
}

// keepMoving moves row 5 from one table to the other and back.
func keepMoving(ctx context.Context, conn *pgx.Conn) error {
	for from, to := "a", "b"; ctx.Err() == nil; from, to = to, from {
		_, err := conn.Exec(context.WithoutCancel(ctx),
			"WITH gone AS (DELETE FROM "+from+" WHERE id = 5 RETURNING *) INSERT INTO "+to+" SELECT * FROM gone")
		if err != nil {
			return err
		}
	}
	return nil
}

func updateDrawsNewID(b *bed) {
	b.exec(two)
	b.exec(`INSERT INTO a (writer) SELECT 'w' FROM generate_series(1, 6)`)
	t := b.tail(stream("a", "b"), func(c *tail.Config) { c.BatchRows = 2 })
	b.equal("first", ids(b.next(t).Rows), "1 2")
	b.exec(`UPDATE a SET id = nextval('ids') WHERE id IN (1, 4); DELETE FROM a WHERE id = 5`)
	b.equal("then", ids(b.next(t).Rows), "3 6")
	rows := b.next(t).Rows
	b.equal("last", ids(rows), "7 8")
}

// RULES 22: a REPEATABLE READ snapshot older than the position misses rows.
func noSnapshotIsKept(b *bed) {
	b.exec(two)
	b.exec("ALTER DATABASE " + b.name + " SET default_transaction_isolation = 'repeatable read'")
	b.exec(`INSERT INTO a (writer) VALUES ('w')`)
	t := b.tail(stream("a"), nil)
	b.equal("first", ids(b.next(t).Rows), "1")
	var state, xmin string
	err := b.sql.QueryRow(b.Context(), `SELECT state, coalesce(backend_xmin::text, 'none') FROM pg_stat_activity
		WHERE application_name = $1 AND datname = $2`, tail.DefaultApplicationName, b.name).Scan(&state, &xmin)
	if err != nil || state != "idle" || xmin != "none" {
		b.Fatalf("between batches: %s, xmin %s (%v)", state, xmin, err)
	}
	b.exec(`INSERT INTO a (writer) VALUES ('w')`)
	b.equal("second", ids(b.next(t).Rows), "2")
}

// RULES 22: what is there above the position comes later: something below it
// may be missing.
func nothingAboveThePosition(b *bed) {
	b.exec(two)
	b.exec(`INSERT INTO a (id, writer) SELECT -i, 'w' FROM generate_series(1, 4) i; INSERT INTO a (id, writer) SELECT i, 'w' FROM generate_series(1, 4) i`)
	cfg := stream("a", "b")
	s := b.known(b.follow(cfg, follower.SlotNone))
	for _, descending := range []bool{false, true} {
		cfg.Descending = descending
		positions, want := &fixed{Stream: s, position: 2, epoch: s.Epoch()}, "1 2"
		if descending {
			positions.position, want = -2, "-1 -2"
		}
		b.equal("up to 2", ids(b.next(b.tailOf(tail.Config{Stream: cfg, Positions: positions}, nil)).Rows), want)
	}
}

func lateCommitsComeInOrder(b *bed) {
	b.exec(two)
	slow, err := b.connect().Begin(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.exec(`INSERT INTO a (writer) VALUES ('first')`)
	t := b.tail(stream("a", "b"), nil)
	b.equal("first", ids(b.next(t).Rows), "1")
	if _, err := slow.Exec(b.Context(), `INSERT INTO b (writer) VALUES ('slow')`); err != nil {
		b.Fatal(err)
	}
	b.exec(`INSERT INTO a (writer) VALUES ('fast')`)
	if err := slow.Commit(b.Context()); err != nil {
		b.Fatal(err)
	}
	rows := b.next(t).Rows
	for len(rows) < 2 {
		rows = append(rows, b.next(t).Rows...)
	}
	b.equal("writers", rows[0].Instance+" "+rows[1].Instance, "slow fast")
}

func positionPassesDeadIDs(b *bed) {
	b.exec(two)
	b.exec(`INSERT INTO a (writer) VALUES ('w')`)
	b.exec(`BEGIN; INSERT INTO a (writer) SELECT 'dead' FROM generate_series(1, 9); ROLLBACK`)
	t := b.tail(stream("a"), until(10))
	rows, _ := b.all(t)
	b.equal("ids", ids(rows), "1")
	if t.Position() != 10 {
		b.Fatalf("position %d", t.Position())
	}
}

func signDecides(b *bed) {
	b.exec(`CREATE SEQUENCE ids; CREATE SEQUENCE down; CREATE TABLE t (id int NOT NULL DEFAULT nextval('ids'), writer text);
		INSERT INTO t SELECT nextval('ids'), 'up' FROM generate_series(1, 4);
		INSERT INTO t SELECT -nextval('down'), 'down' FROM generate_series(1, 5) UNION ALL SELECT 0, 'nobody'`)
	up := b.tail(stream("t"), func(c *tail.Config) { c.BatchRows = 3; until(4)(c) })
	rows, _ := b.all(up)
	b.equal("ascending", ids(rows), "1 2 3 4")
	cfg := stream("t")
	cfg.Descending, cfg.Sequence = true, "down"
	positions := b.follow(cfg, follower.SlotNone)
	for after, want := range map[int64]string{0: "-1 -2 -3 -4 -5", -3: "-4 -5"} {
		down := b.tailOf(tail.Config{Stream: cfg, Positions: positions, After: after, BatchRows: 2}, until(-5))
		rows, _ = b.all(down)
		b.equal("descending", ids(rows), want)
		if down.Position() != -5 {
			b.Fatalf("position %d", down.Position())
		}
	}
}

func oddTables(b *bed) {
	b.exec(`CREATE SCHEMA "Odd one"; CREATE SEQUENCE ids;
		CREATE TABLE "Odd one"."a ""b"".c" ("The ID" smallint NOT NULL, "Who?" char(4), r int);
		CREATE TABLE parts (id int NOT NULL, writer text) PARTITION BY RANGE (id);
		CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (3);
		CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (3) TO (100);
		INSERT INTO parts VALUES (2, NULL), (3, 'p');
		INSERT INTO "Odd one"."a ""b"".c" VALUES (1, 'x', 7), (4, 'y', 8); SELECT setval('ids', 4)`)
	cfg := stream("parts")
	odd := `"Odd one"."a ""b"".c"`
	cfg.Tables = append(cfg.Tables, follower.TableConfig{Name: odd, IDColumn: "The ID", InstanceColumn: "Who?"})
	rows, _ := b.all(b.tail(cfg, func(c *tail.Config) { c.BatchRows = 1; until(4)(c) }))
	b.equal("ids", ids(rows), "1 2 3 4")
	b.equal("table", rows[0].Table, odd)
	b.equal("instance of blank-padded text", rows[0].Instance, "x")
	b.equal("instance of NULL", rows[1].Instance, "")
	b.equal("columns", string(rows[0].Columns), `{"The ID":1,"Who?":"x   ","r":7}`)

	cfg.Tables = cfg.Tables[:1]
	cfg.Tables[0].InstanceColumn, cfg.Tables[0].Writer = "", ""
	rows, _ = b.all(b.tail(cfg, until(4)))
	b.equal("writer of a table without instances", rows[0].Instance, follower.DefaultWriter)
}

// What json holds need not be fit for jsonb: one such row must not stop the
// stream.
func oddValues(b *bed) {
	b.exec(`CREATE SEQUENCE ids; CREATE TABLE t (id bigint, writer text, j json, n numeric, f float8, d bytea);
		INSERT INTO t VALUES (1, E'a\nb', '{"x":  "\u0000"}', 'NaN', 'infinity', '\x00ff'); SELECT setval('ids', 1)`)
	rows, _ := b.all(b.tail(stream("t"), until(1)))
	b.equal("instance", rows[0].Instance, "a\nb")
	b.equal("columns", string(rows[0].Columns),
		`{"id":1,"writer":"a\nb","j":{"x":  "\u0000"},"n":"NaN","f":"Infinity","d":"\\x00ff"}`)
}

func largeRows(b *bed) {
	b.exec(two)
	b.exec(`INSERT INTO a (writer, body) SELECT 'w', repeat('x', 1 << 20) FROM generate_series(1, 24)`)
	t := b.tail(stream("a", "b"), until(24))
	seen := 0
	for seen < 24 {
		size := 0
		for _, r := range b.next(t).Rows {
			if seen++; r.ID != int64(seen) {
				b.Fatalf("id %d as row %d", r.ID, seen)
			}
			size += len(r.Columns)
		}
		if size > tail.MaxPageBytes+2<<20 {
			b.Fatalf("a batch of %d bytes", size)
		}
	}
}

func indexIsUsed(b *bed) {
	b.exec(`CREATE SEQUENCE ids; CREATE TABLE a (id int PRIMARY KEY, writer text); CREATE TABLE b (id smallint PRIMARY KEY, writer text);
		INSERT INTO a SELECT i, 'w' FROM generate_series(1, 60000, 2) i; INSERT INTO b SELECT i, 'w' FROM generate_series(2, 30000, 2) i;
		SELECT setval('ids', 60000)`)
	b.exec("ANALYZE")
	t := b.tail(stream("a", "b"), nil)
	b.equal("begin", ids(b.next(t).Rows[:3]), "1 2 3")
	rows, err := b.sql.Query(b.Context(), "EXPLAIN "+tail.PageQuery(t), pgx.QueryExecModeSimpleProtocol, int64(20000), int64(50000), int64(100))
	if err != nil {
		b.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	plan := strings.Join(lines, "\n")
	if err != nil || strings.Contains(plan, "Seq Scan") || strings.Count(plan, "Index Scan using") != 2 {
		b.Fatalf("%v\n%s", err, plan)
	}
}

func columnsAddedMeanwhile(b *bed) {
	b.exec(two)
	b.exec(`INSERT INTO a (writer) VALUES ('w')`)
	t := b.tail(stream("a", "b"), nil)
	b.equal("before", string(b.next(t).Rows[0].Columns), `{"id":1,"writer":"w","body":null}`)
	b.exec(`ALTER TABLE a ADD COLUMN more int; ALTER TABLE a DROP COLUMN body; INSERT INTO a (writer, more) VALUES ('w', 3)`)
	b.equal("after", string(b.next(t).Rows[0].Columns), `{"id":2,"writer":"w","more":3}`)
}

func runStopsWithItsHandler(b *bed) {
	b.exec(two)
	b.exec(`INSERT INTO a (writer) SELECT 'w' FROM generate_series(1, 5)`)
	t := b.tail(stream("a"), func(c *tail.Config) { c.BatchRows = 2; until(5)(c) })
	enough := errors.New("enough")
	err := t.Run(b.Context(), func(_ context.Context, batch tail.Batch) error {
		if batch.Position == 4 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || t.Position() != 4 {
		b.Fatalf("run: %v at %d", err, t.Position())
	}
	var rest []tail.Row
	err = t.Run(b.Context(), func(_ context.Context, batch tail.Batch) error {
		rest = append(rest, batch.Rows...)
		return nil
	})
	if err != nil || ids(rest) != "5" {
		b.Fatalf("run: %v, rows %s", err, ids(rest))
	}
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	open := b.tail(stream("a"), nil)
	if err := open.Run(ctx, nil); !errors.Is(err, context.Canceled) {
		b.Fatalf("cancelled run: %v", err)
	}
}

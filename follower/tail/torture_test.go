package tail_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/tail"
)

// tortureFor is how long writers write.
const tortureFor = 4 * time.Second

func TestNothingIsMissedOrRepeated(t *testing.T) {
	each(t, map[string]func(*bed){
		"ascending, the connection killed all the time": func(b *bed) { b.torture(false, follower.SlotTemporary, true) },
		"ascending, at the head":                        func(b *bed) { b.torture(false, follower.SlotTemporary, false) },
		"descending, by the fence alone":                func(b *bed) { b.torture(true, follower.SlotNone, false) },
	})
}

// torture has writers commit out of order, roll back and stall on two tables,
// and compares what a Tail delivers with what is there in the end. A reader
// that goes by the last id it saw runs beside it and must miss something, or
// nothing was put to the test.
func (b *bed) torture(descending bool, slot follower.SlotKind, kill bool) {
	b.exec(two)
	b.exec(`CREATE PUBLICATION tidemark FOR TABLE a (id, writer), b (id, writer) WITH (publish = 'insert')`)
	cfg := stream("a", "b")
	cfg.Descending = descending
	positions := b.follow(cfg, slot)
	reading := b.tailOf(tail.Config{Stream: cfg, Positions: positions, BatchRows: 7}, nil)

	writing, stop := context.WithTimeout(b.Context(), tortureFor)
	defer stop()
	var writers, readers sync.WaitGroup
	for i := range 6 {
		conn := b.connect()
		writers.Go(func() { b.write(writing, conn, i, descending) })
	}
	naive := 0
	conn := b.connect()
	readers.Go(func() { naive = b.naive(writing, conn) })
	if kill {
		killer := b.connect()
		readers.Go(func() { b.keepKilling(writing, killer) })
	}
	got := make(chan []int64, 1)
	ctx, cancel := context.WithTimeout(b.Context(), tortureFor+patience)
	defer cancel()
	go func() { got <- b.collect(ctx, reading) }()
	writers.Wait()
	readers.Wait()

	want := b.there(descending)
	ids := <-got
	if !slices.Equal(ids, want) {
		b.Fatalf("delivered %d rows, %d are there; first difference at %d", len(ids), len(want), differ(ids, want))
	}
	b.Logf("%d rows delivered; by the last id seen: %d of them", len(ids), naive)
	if naive >= len(want) {
		b.Fatalf("the naive reader missed none of %d rows: nothing was tested", len(want))
	}
}

// write inserts until ctx ends: one or a few rows for an id, in either table,
// some rolled back, some after a pause; the first writer stalls for long.
func (b *bed) write(ctx context.Context, conn *pgx.Conn, i int, descending bool) {
	random := rand.New(rand.NewPCG(uint64(i), 1))
	insert := "INSERT INTO %s SELECT i, $1 FROM (SELECT %snextval('ids') AS i) drawn, generate_series(1, $2::int)"
	sign := ""
	if descending {
		sign = "-"
	}
	for ctx.Err() == nil {
		tx, err := conn.Begin(b.Context())
		for range 1 + random.IntN(3) {
			if err == nil {
				table := []string{"a", "b"}[random.IntN(2)]
				_, err = tx.Exec(b.Context(), fmt.Sprintf(insert, table, sign), fmt.Sprint(i), 1+random.IntN(2))
			}
		}
		if err != nil {
			b.Errorf("write: %v", err)
			return
		}
		pause := time.Duration(random.IntN(10)) * time.Millisecond
		if i == 0 {
			pause = 400 * time.Millisecond
		}
		time.Sleep(pause)
		end := tx.Commit
		if random.IntN(5) == 0 {
			end = tx.Rollback
		}
		if err := end(b.Context()); err != nil {
			b.Errorf("write: %v", err)
			return
		}
	}
}

const inOrder = `SELECT id FROM (SELECT id FROM a UNION ALL SELECT id FROM b) t WHERE abs(id) > $1 ORDER BY abs(id)`

// naive counts the rows that a reader sees who remembers the last id.
func (b *bed) naive(ctx context.Context, conn *pgx.Conn) (seen int) {
	last := int64(0)
	for ctx.Err() == nil {
		rows, _ := conn.Query(b.Context(), inOrder, last)
		found, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			b.Errorf("naive: %v", err)
			return seen
		}
		if seen += len(found); len(found) > 0 {
			last = abs(found[len(found)-1])
		}
		time.Sleep(time.Millisecond)
	}
	return seen
}

func (b *bed) keepKilling(ctx context.Context, conn *pgx.Conn) {
	killed := 0
	for ctx.Err() == nil {
		found, err := b.terminate(conn)
		if err != nil {
			b.Errorf("kill: %v", err)
			return
		}
		if found {
			killed++
		}
		time.Sleep(time.Duration(20+rand.IntN(60)) * time.Millisecond)
	}
	if b.Logf("killed the connection %d times", killed); killed < 2 {
		b.Errorf("killed the connection %d times only", killed)
	}
}

// collect reads up to the row that was written last.
func (b *bed) collect(ctx context.Context, t *tail.Tail) (ids []int64) {
	for last := false; !last; {
		batch, err := t.Next(ctx)
		if err != nil {
			b.Errorf("next at %d: %v", t.Position(), err)
			return ids
		}
		for _, r := range batch.Rows {
			ids = append(ids, r.ID)
			last = last || r.Instance == "last"
		}
	}
	return ids
}

// there writes the last row of all, and returns what is in the tables then.
func (b *bed) there(descending bool) []int64 {
	b.exec("INSERT INTO a SELECT nextval('ids') * (CASE WHEN $1 THEN -1 ELSE 1 END), 'last'", descending)
	rows, _ := b.sql.Query(b.Context(), inOrder, 0)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		b.Fatal(err)
	}
	return ids
}

func differ(a, b []int64) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

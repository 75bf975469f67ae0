package rows

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/decoder"
	"github.com/tidemark-pg/tidemark/internal/bench/bed"
	"github.com/tidemark-pg/tidemark/internal/bench/contest"
)

// decode is comparison 1: one inserted row, from bytes to id and writer.
func decode() contest.Comparison {
	return contest.Comparison{
		Key:   "1",
		Title: "Decode one two-column insert",
		Method: "A row's message as the server sent it. `pglogrepl.Parse` checks it and splits it into columns, and so does " +
			"`Decode`, with which it is compared. What a follower needs besides, the id as a number and the interned writer, is " +
			"in Tidemark's time.",
		Rounds:  15,
		Metrics: []contest.Metric{{Name: "time", Unit: "ns"}, {Name: "allocations"}},
		Chart:   contest.Chart{Metric: "time"},
		Targets: []contest.Target{
			{Text: "≤ 40 ns", Of: ours, Metric: "time", AtMost: 40},
			{Text: "0 allocations", Of: ours, Metric: "allocations", Zero: true},
			{Text: "Decode ≥ 10x faster than `pglogrepl.Parse`", Of: "pglogrepl.Parse", Over: split, Metric: "time", AtLeast: 10},
		},
		Prepare: prepareDecode,
	}
}

// ours is Tidemark among the contenders.
const ours = "Tidemark"

// split is the part of it that pglogrepl.Parse does too.
const split = "Tidemark, Decode alone"

func prepareDecode(ctx context.Context, s *contest.Stage) ([]contest.Contender, error) {
	messages, err := capture(ctx, s)
	if err != nil {
		return nil, err
	}
	d, insert, err := primed(messages)
	if err != nil {
		return nil, err
	}
	n := s.Count(2_000_000, 1000)
	return []contest.Contender{
		{Name: ours, Run: decoding(n, func() error { return decodeRow(d, insert) })},
		{Name: split, Run: decoding(n, func() error {
			_, err := d.Decode(insert)
			return err
		})},
		{Name: "pglogrepl.Parse", Run: decoding(n/8, func() error {
			_, err := pglogrepl.Parse(insert)
			return err
		})},
	}, nil
}

// capture has the server decode one inserted row: begin, relation, insert, commit.
func capture(ctx context.Context, s *contest.Stage) ([][]byte, error) {
	db, err := s.Database(ctx, "bench_decode")
	if err != nil {
		return nil, err
	}
	if err := db.MakeEvents(ctx); err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, db.URL)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, "SELECT pg_create_logical_replication_slot('decode', 'pgoutput')"); err != nil {
		return nil, fmt.Errorf("make a slot: %w", err)
	}
	if _, err := conn.Exec(ctx, bed.Insert, "writer-1"); err != nil {
		return nil, fmt.Errorf("insert: %w", err)
	}
	rows, err := conn.Query(ctx, `SELECT data FROM pg_logical_slot_get_binary_changes('decode', NULL, NULL,
		'proto_version', '1', 'publication_names', $1)`, bed.Publication)
	if err != nil {
		return nil, fmt.Errorf("read the slot: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[[]byte])
}

var errNoInsert = errors.New("the server sent no insert")

// primed returns a decoder that stands before the insert, and the insert. A
// decoder takes the same insert any number of times within its transaction.
func primed(messages [][]byte) (*decoder.Decoder, []byte, error) {
	d, err := decoder.New(decoder.Config{})
	if err != nil {
		return nil, nil, err
	}
	for _, m := range messages {
		if len(m) > 0 && m[0] == 'I' {
			return d, m, nil
		}
		if _, err := d.Decode(m); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, errNoInsert
}

// decodeRow reads what a follower reads of a row.
func decodeRow(d *decoder.Decoder, message []byte) error {
	e, err := d.Decode(message)
	if err != nil {
		return err
	}
	if _, err := e.New.Value(0).Int64(decoder.TypeInt8); err != nil {
		return err
	}
	d.Intern(e.New.Value(1).Bytes)
	return nil
}

func decoding(n int, row func() error) func(context.Context) (contest.Result, error) {
	return func(context.Context) (contest.Result, error) {
		var failed error
		took, allocations := perOperation(n, func(n int) {
			for range n {
				if err := row(); err != nil {
					failed = err
				}
			}
		})
		return contest.Result{"time": took, "allocations": hundredths(allocations)}, failed
	}
}

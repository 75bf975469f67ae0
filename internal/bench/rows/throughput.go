package rows

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/internal/bench/bed"
	"github.com/tidemark-pg/tidemark/internal/bench/contest"
	"github.com/tidemark-pg/tidemark/internal/bench/peer"
)

// Names of contenders.
const (
	bare      = "nobody reads"
	bareSlot  = "pg_recvlogical attached"
	upserting = "upsert with each commit"
)

const throughputRate = "commits"

// throughput is comparison 5: what readers cost those who write.
func throughput() contest.Comparison {
	return contest.Comparison{
		Key:   "5",
		Title: "Writers' throughput, 16 clients",
		Method: "16 clients insert as fast as they can, one row a transaction, synchronous_commit on. " +
			"NOTIFY: in the statement of the insert, with one listener. Upsert: the id drawn before, then the row, then " +
			"`stream_positions` in a statement of its own, each client under a name of its own.",
		Rounds:  7,
		Metrics: []contest.Metric{{Name: throughputRate, Unit: "per s"}},
		Chart:   contest.Chart{Metric: throughputRate},
		Targets: []contest.Target{
			{Text: "≥ 0.9x a bare slot consumer attached", Of: ours, Over: bareSlot, Metric: throughputRate, AtLeast: 0.9},
			{Text: "≥ 3x NOTIFY", Of: ours, Over: notifying, Metric: throughputRate, AtLeast: 3},
			{Text: "≥ 1.5x upsert", Of: ours, Over: upserting, Metric: throughputRate, AtLeast: 1.5},
		},
		Notes: []string{
			"Writers, reader and server share the cores of one machine: where those are the limit and not the disk, whatever a " +
				"reader does is taken from the writers, and so is what the walsender does for any slot consumer. When commits come " +
				"in crowds Tidemark reads once in 0.5 ms and takes one snapshot in 2 ms; pg_recvlogical is woken for each message.",
			"NOTIFY holds one lock of the server from before the commit's flush to its end, so commits are flushed one by one: how " +
				"many times slower that is depends on how long the disk takes to flush. What is reached where nobody reads is the " +
				"limit of that ratio for every reader.",
		},
		Prepare: prepareThroughput,
	}
}

// attaching starts a reader and returns how it is stopped.
type attaching func(ctx context.Context) (stop func() error, err error)

func prepareThroughput(ctx context.Context, s *contest.Stage) ([]contest.Contender, error) {
	db, err := eventsIn(ctx, s, "bench_throughput")
	if err != nil {
		return nil, err
	}
	err = db.Exec(ctx, `CREATE TABLE stream_positions (stream_name text NOT NULL, instance_name text NOT NULL,
		stream_id bigint NOT NULL, PRIMARY KEY (stream_name, instance_name))`)
	if err != nil {
		return nil, err
	}
	writers := load{writers: manyWriters, span: s.Span(5 * time.Second)}
	contender := func(name string, attach attaching, insert inserting) contest.Contender {
		return contest.Contender{Name: name, Run: func(ctx context.Context) (_ contest.Result, err error) {
			stop, err := attach(ctx)
			if err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, stop()) }()
			rate, err := writers.write(ctx, db.URL, insert)
			return contest.Result{throughputRate: rate}, err
		}}
	}
	return []contest.Contender{
		contender(ours, attachReader(db, openTidemark), insertRow(bed.Insert)),
		contender(bare, attachNobody, insertRow(bed.Insert)),
		contender(bareSlot, attachRecvLogical(db, s.Server.RecvLogical), insertRow(bed.Insert)),
		contender(notifying, attachReader(db, openNotify), insertRow(peer.InsertNotify)),
		contender(upserting, attachNobody, insertAnnounced),
	}, nil
}

// inserting writes one row.
type inserting = func(ctx context.Context, conn *pgx.Conn, writer string) error

func insertRow(sql string) inserting {
	return func(ctx context.Context, conn *pgx.Conn, writer string) error {
		var id int64
		return conn.QueryRow(ctx, sql, writer).Scan(&id)
	}
}

// insertAnnounced writes a row and the writer's position, as Synapse does.
func insertAnnounced(ctx context.Context, conn *pgx.Conn, writer string) error {
	var id int64
	if err := conn.QueryRow(ctx, "SELECT nextval('events_id_seq')").Scan(&id); err != nil {
		return fmt.Errorf("draw an id: %w", err)
	}
	_, err := conn.Exec(ctx, "INSERT INTO events VALUES ($1, $2, 'forty bytes of whatever an event carries')", id, writer)
	if err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	_, err = conn.Exec(ctx, `INSERT INTO stream_positions VALUES ('events', $1, $2)
		ON CONFLICT (stream_name, instance_name) DO UPDATE SET stream_id = EXCLUDED.stream_id
		WHERE stream_positions.stream_id < EXCLUDED.stream_id`, writer, id)
	return err
}

func attachNobody(context.Context) (func() error, error) {
	return func() error { return nil }, nil
}

func attachReader(db *bed.Database, open opening) attaching {
	return func(ctx context.Context) (func() error, error) {
		r, err := open(ctx, db)
		if err != nil {
			return nil, err
		}
		return r.stop, nil
	}
}

// attachRecvLogical returns when the slot is being read.
func attachRecvLogical(db *bed.Database, program string) attaching {
	const slot = "bench_bare"
	return func(ctx context.Context) (func() error, error) {
		if err := db.Exec(ctx, "SELECT pg_create_logical_replication_slot('"+slot+"', 'pgoutput')"); err != nil {
			return nil, err
		}
		stop, err := peer.RecvLogical{Program: program, URL: db.URL, Publication: bed.Publication}.Attach(ctx, slot)
		if err != nil {
			return nil, err
		}
		stopAndDrop := func() error { return errors.Join(stop(), dropSlot(ctx, db, slot)) }
		for {
			active, err := bed.Ask[bool](ctx, db, "SELECT active FROM pg_replication_slots WHERE slot_name = $1", slot)
			if err != nil {
				return nil, errors.Join(err, stopAndDrop())
			}
			if active {
				return stopAndDrop, nil
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

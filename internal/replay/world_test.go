package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
	"github.com/tidemark-pg/tidemark/tracker/allocator"
)

// patience is how long an expected state is waited for: what follows from a
// flush or an announcement comes a moment later.
const (
	patience = 20 * time.Second
	pause    = time.Millisecond
)

// world is the real thing that operations are done to: a database of its own
// and the allocators over it.
type world struct {
	url     string
	log     *slog.Logger
	pool    *pgxpool.Pool
	gens    map[string]*allocator.Allocator
	named   map[string]*op // what each was opened with
	order   []string       // names in the order of their making
	handles map[string]*allocator.Handle
	txns    map[string]*openTx
}

type openTx struct {
	tx      pgx.Tx
	handles []*allocator.Handle
}

// start starts a server on which nothing waits long for a flush. What it does
// at a crash is not asked, so it need not wait for the disk.
func start(t *testing.T) *pgcluster.Cluster {
	t.Helper()
	return pgtest.Start(t, pgtest.Setting("wal_writer_delay", "10ms"), pgtest.Setting("fsync", "off"), pgtest.Setting("autovacuum", "off"))
}

// newWorld makes a database.
func newWorld(t *testing.T, c *pgcluster.Cluster, name string) *world {
	t.Helper()
	pgtest.Exec(t, pgtest.Connect(t, c), "CREATE DATABASE "+name)
	w := &world{url: c.URL("", name), log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))}
	t.Cleanup(func() { w.close(context.Background()) })
	return w
}

// close ends everything that is over the database.
func (w *world) close(ctx context.Context) {
	for _, t := range w.txns {
		_ = t.tx.Rollback(ctx) // a test that failed left it
	}
	for _, a := range w.gens {
		_ = a.Close(ctx) // it names the handles that histories leave open
	}
	if w.pool != nil {
		w.pool.Close()
	}
	w.gens, w.txns, w.pool = nil, nil, nil
}

// reset is the operation of that name, on connections that remember nothing of
// the tables before.
func (w *world) reset(ctx context.Context, tables []string) error {
	w.close(ctx)
	pool, err := pgxpool.New(ctx, w.url)
	if err != nil {
		return err
	}
	*w = world{
		url: w.url, log: w.log, pool: pool, gens: map[string]*allocator.Allocator{}, named: map[string]*op{},
		handles: map[string]*allocator.Handle{}, txns: map[string]*openTx{},
	}
	ddl := []string{
		"DROP SCHEMA public CASCADE", "CREATE SCHEMA public", "CREATE SEQUENCE foobar_seq",
		"CREATE TABLE stream_positions (stream_name text NOT NULL, instance_name text NOT NULL, stream_id bigint NOT NULL)",
		"CREATE UNIQUE INDEX ON stream_positions (stream_name, instance_name)",
	}
	for _, name := range tableNames(tables) {
		ddl = append(ddl, "CREATE TABLE "+name+" (stream_id bigint NOT NULL, instance_name text)", "CREATE INDEX ON "+name+" (stream_id)")
	}
	_, err = pool.Exec(ctx, strings.Join(ddl, ";"))
	return err
}

// do does an operation and returns the ids that it gave.
func (w *world) do(ctx context.Context, o *op) (ids []int64, err error) {
	switch o.Op {
	case "reset":
		return nil, w.reset(ctx, o.Tables)
	case "sql", "insert", "insert_rows", "insert_row":
		return w.write(ctx, o)
	case "new":
		return nil, w.open(ctx, o)
	case "get_next":
		h, err := w.gens[o.Gen].NextN(ctx, max(o.N, 1))
		if err != nil {
			return nil, err
		}
		w.handles[o.Handle] = h
		return h.IDs(), nil
	case "finish":
		return nil, w.handles[o.Handle].Finish(ctx, outcome(o))
	case "txn_begin", "get_next_txn", "txn_sql", "txn_end":
		return w.transact(ctx, o)
	case "advance":
		w.gens[o.Gen].Advance(o.Writer, o.ID)
	case "max_allocated", "stream_positions", "sequence":
	case "replicate", "replicate_all":
		w.replicate(o)
	default:
		return nil, fmt.Errorf("operation %q is not known", o.Op)
	}
	return nil, nil
}

var errFailed = errors.New("the write failed")

func outcome(o *op) error {
	if orTrue(o.Success) {
		return nil
	}
	return errFailed
}

const store = `INSERT INTO stream_positions VALUES ('test_stream', $1, $2)
ON CONFLICT (stream_name, instance_name) DO UPDATE SET stream_id = EXCLUDED.stream_id`

// write is what others than the generators write, in autocommit.
func (w *world) write(ctx context.Context, o *op) (ids []int64, err error) {
	insert := "INSERT INTO " + o.tableName() + " (stream_id, instance_name) VALUES ($1, $2)"
	switch o.Op {
	case "sql":
		_, err = w.pool.Exec(ctx, o.SQL)
	case "insert":
		for _, r := range o.Rows {
			if _, err := w.pool.Exec(ctx, insert, r[0], r[1]); err != nil {
				return nil, err
			}
		}
	case "insert_row":
		if _, err = w.pool.Exec(ctx, insert, o.ID, o.Instance); err == nil && o.Setval {
			_, err = w.pool.Exec(ctx, "SELECT setval('foobar_seq', $1)", o.ID)
		}
		if err == nil {
			_, err = w.pool.Exec(ctx, store, o.Instance, magnitude(o.ID))
		}
	case "insert_rows":
		rows, _ := w.pool.Query(ctx, "INSERT INTO "+o.tableName()+" SELECT nextval('foobar_seq'), $1 FROM generate_series(1, $2::int) RETURNING stream_id", o.Instance, o.N)
		if ids, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err == nil && orTrue(o.UpdateTable) {
			_, err = w.pool.Exec(ctx, store, o.Instance, ids[len(ids)-1])
		}
	}
	return ids, err
}

// open opens a generator; one of the same name has ended before.
func (w *world) open(ctx context.Context, o *op) error {
	w.end(ctx, o.Name)
	if w.named[o.Name] == nil {
		w.order = append(w.order, o.Name)
	}
	a, err := allocator.Open(ctx, w.pool, w.config(o))
	if err != nil {
		return err
	}
	w.gens[o.Name], w.named[o.Name] = a, o
	return nil
}

// end ends the generator of that name, if there is one.
func (w *world) end(ctx context.Context, name string) {
	if a := w.gens[name]; a != nil {
		_ = a.Close(ctx) // it names the handles that histories leave open
	}
	delete(w.gens, name)
}

func (w *world) config(o *op) allocator.Config {
	c := allocator.Config{
		Stream: "test_stream", Instance: o.Instance, Writers: o.Writers, Sequence: "foobar_seq",
		Descending:   !orTrue(o.Positive),
		Logger:       w.log,
		IdleInterval: time.Hour, // an idle writer shall not move by itself while states are compared
	}
	for _, name := range tableNames(o.Tables) {
		c.Tables = append(c.Tables, allocator.Table{Name: name, IDColumn: "stream_id", InstanceColumn: "instance_name"})
	}
	return c
}

// transact is what happens in and to a transaction.
func (w *world) transact(ctx context.Context, o *op) (ids []int64, err error) {
	if o.Op == "txn_begin" {
		tx, err := w.pool.Begin(ctx)
		w.txns[o.Txn] = &openTx{tx: tx}
		return nil, err
	}
	t := w.txns[o.Txn]
	switch o.Op {
	case "get_next_txn":
		h, err := w.gens[o.Gen].NextNTx(ctx, t.tx, max(o.N, 1))
		if err != nil {
			return nil, err
		}
		t.handles = append(t.handles, h)
		return h.IDs(), nil
	case "txn_sql":
		_, err = t.tx.Exec(ctx, strings.Replace(strings.Replace(o.SQL, "?", "$1", 1), "?", "$2", 1), o.Args...)
	case "txn_end":
		delete(w.txns, o.Txn)
		if !orTrue(o.Success) {
			return nil, t.tx.Rollback(ctx)
		}
		err = t.tx.Commit(ctx) // and no Finish: the database is asked
	}
	return nil, err
}

// replicate has each generator's own token, or that of one instance, advanced on
// all others, in the order of their making, and notes which these were: a
// generator may learn more at any moment.
func (w *world) replicate(o *op) {
	o.told = map[string]int64{}
	for _, from := range w.order {
		writer := w.named[from].Instance
		if o.Instance != "" && o.Instance != writer {
			continue
		}
		token := w.gens[from].CurrentTokenForWriter(writer)
		o.told[from] = token
		for _, to := range w.order {
			if to != from {
				w.gens[to].Advance(writer, token)
			}
		}
	}
}

func (o *op) tableName() string {
	if o.Table == "" {
		return "foobar"
	}
	return o.Table
}

// state is what a generator says; it is asked for the tokens of the same
// writers as the reference was.
func (w *world) state(gen string, asked map[string]int64) state {
	a := w.gens[gen]
	s := state{
		Positions: a.Positions(), Current: a.CurrentToken(), Persisted: a.PersistedUpTo(), Minimal: a.MinimalLocalToken(),
		Tokens: map[string]int64{},
	}
	for writer := range asked {
		s.Tokens[writer] = a.CurrentTokenForWriter(writer)
	}
	return s
}

// stored is the positions table.
func (w *world) stored(ctx context.Context) (map[string]int64, error) {
	rows, _ := w.pool.Query(ctx, "SELECT instance_name, stream_id FROM stream_positions")
	positions := map[string]int64{}
	var name string
	var id int64
	_, err := pgx.ForEachRow(rows, []any{&name, &id}, func() error {
		positions[name] = id
		return nil
	})
	return positions, err
}

// await calls try until it gives no difference, and returns the last one.
func await(try func() string) (difference string) {
	for end := time.Now().Add(patience); ; time.Sleep(pause) {
		if difference = try(); difference == "" || time.Now().After(end) {
			return difference
		}
	}
}

package tail_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/tail"
	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what should come at once.
const patience = 20 * time.Second

// suite is one server, on which each case has a database of its own.
type suite struct {
	cluster *pgcluster.Cluster
	admin   sync.Mutex // CREATE DATABASE goes one at a time
	cases   atomic.Int64
}

// each runs cases in parallel on one server. None of them crashes it.
func each(t *testing.T, cases map[string]func(*bed)) {
	s := &suite{cluster: pgtest.Start(t, pgtest.Setting("fsync", "off"), pgtest.Setting("max_connections", "200"))}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(s.bed(t))
		})
	}
}

// bed is a database and what a case does with it.
type bed struct {
	*testing.T
	name, url string
	cluster   *pgcluster.Cluster
	sql       *pgx.Conn
}

func (s *suite) bed(t *testing.T) *bed {
	t.Helper()
	b := &bed{T: t, cluster: s.cluster, name: fmt.Sprintf("case_%d", s.cases.Add(1))}
	s.admin.Lock()
	pgtest.Exec(t, pgtest.Connect(t, s.cluster), "CREATE DATABASE "+b.name)
	s.admin.Unlock()
	b.url = s.cluster.URL("", b.name)
	b.sql = b.connect()
	return b
}

func (b *bed) connect() *pgx.Conn {
	b.Helper()
	return pgtest.ConnectURL(b.T, b.url)
}

func (b *bed) exec(sql string, args ...any) {
	b.Helper()
	if _, err := b.sql.Exec(b.Context(), sql, args...); err != nil {
		b.Fatalf("%s: %v", sql, err)
	}
}

// two is a stream of two tables whose ids are written by hand or drawn.
const two = `CREATE SEQUENCE ids;
CREATE TABLE a (id bigint NOT NULL DEFAULT nextval('ids'), writer text, body text);
CREATE TABLE b (LIKE a INCLUDING ALL);
CREATE INDEX ON a (id); CREATE INDEX ON b (id);`

func stream(tables ...string) follower.StreamConfig {
	s := follower.StreamConfig{Name: "events", Sequence: "ids"}
	for _, name := range tables {
		s.Tables = append(s.Tables, follower.TableConfig{Name: name, IDColumn: "id", InstanceColumn: "writer"})
	}
	return s
}

// follow runs a follower until the test ends.
func (b *bed) follow(cfg follower.StreamConfig, slot follower.SlotKind) *follower.Stream {
	b.Helper()
	f, err := follower.New(follower.Config{
		Database: b.url, Streams: []follower.StreamConfig{cfg}, Slot: follower.SlotConfig{Kind: slot},
		Logger: slog.New(slog.NewTextHandler(b.Output(), nil)),
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Errorf("run follower: %v", err)
		}
	})
	return f.Streams()[0]
}

// tail makes a Tail of the stream that the fence follows.
func (b *bed) tail(cfg follower.StreamConfig, change func(*tail.Config)) *tail.Tail {
	b.Helper()
	return b.tailOf(tail.Config{Stream: cfg, Positions: b.follow(cfg, follower.SlotNone)}, change)
}

func (b *bed) tailOf(cfg tail.Config, change func(*tail.Config)) *tail.Tail {
	b.Helper()
	if cfg.Connect == nil {
		cfg.Database = b.url
	}
	cfg.Logger = slog.New(slog.NewTextHandler(b.Output(), nil))
	if change != nil {
		change(&cfg)
	}
	t, err := tail.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { t.Close(context.Background()) })
	return t
}

// next reads a batch, or fails.
func (b *bed) next(t *tail.Tail) tail.Batch {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	batch, err := t.Next(ctx)
	if err != nil {
		b.Fatalf("next: %v", err)
	}
	return batch
}

// fails reads until an error, which it returns.
func (b *bed) fails(t *tail.Tail) error {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	for {
		if _, err := t.Next(ctx); err != nil {
			return err
		}
	}
}

// all reads to the end that Until or Limit sets.
func (b *bed) all(t *tail.Tail) (rows []tail.Row, batches int) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	for {
		batch, err := t.Next(ctx)
		if errors.Is(err, io.EOF) {
			return rows, batches
		}
		if err != nil {
			b.Fatalf("next: %v", err)
		}
		if last := batch.Rows[len(batch.Rows)-1].ID; abs(batch.Position) < abs(last) {
			b.Fatalf("position %d before the last row, %d", batch.Position, last)
		}
		rows, batches = append(rows, batch.Rows...), batches+1
	}
}

func abs(n int64) int64 { return max(n, -n) }

// ids of rows, as text.
func ids(rows []tail.Row) string {
	var s []string
	for _, r := range rows {
		s = append(s, fmt.Sprint(r.ID))
	}
	return strings.Join(s, " ")
}

// equal fails unless got is want.
func (b *bed) equal(what, got, want string) {
	b.Helper()
	if got != want {
		b.Fatalf("%s: %s, want %s", what, got, want)
	}
}

func (b *bed) contains(err error, parts ...string) {
	b.Helper()
	if err == nil || slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(err.Error(), p) }) {
		b.Fatalf("error %v, want one with %q", err, parts)
	}
	if strings.Contains(err.Error(), "\n") {
		b.Fatalf("error of several lines: %v", err)
	}
}

func until(id int64) func(*tail.Config) { return func(c *tail.Config) { c.Until = &id } }

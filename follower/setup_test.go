package follower_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what should come at once.
const patience = 20 * time.Second

// bed is a server with one stream, "events", and what a test does with it.
type bed struct {
	t       *testing.T
	cluster *pgcluster.Cluster
	url     string
	sql     *pgx.Conn
}

// events is the schema of most tests.
const events = `CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, instance_name text);
CREATE PUBLICATION tidemark FOR TABLE events (id, instance_name) WITH (publish = 'insert')`

func newBed(t *testing.T, schema string, options ...pgtest.Option) *bed {
	t.Helper()
	cluster := pgtest.Start(t, options...)
	b := &bed{t: t, cluster: cluster, url: cluster.URL("", "")}
	b.sql = b.connect()
	b.exec(schema)
	return b
}

func (b *bed) connect() *pgx.Conn {
	b.t.Helper()
	return pgtest.ConnectURL(b.t, b.url)
}

func (b *bed) exec(sql string) {
	b.t.Helper()
	if _, err := b.sql.Exec(b.t.Context(), sql); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
}

func eventsConfig(url string) follower.Config {
	return follower.Config{Database: url, Streams: []follower.StreamConfig{{
		Name:   "events",
		Tables: []follower.TableConfig{{Name: "public.events", IDColumn: "id", InstanceColumn: "instance_name"}},
	}}}
}

// follow runs a follower until the test ends and returns its stream "events"
// (or the first there is).
func (b *bed) follow(cfg follower.Config) (*follower.Follower, *follower.Stream) {
	b.t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(b.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	f, err := follower.New(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.t.Errorf("run: %v", err)
		}
	})
	return f, f.Streams()[0]
}

// await waits until the stream's status fulfils the condition.
func (b *bed) await(s *follower.Stream, what string, ok func(follower.Status) bool) follower.Status {
	b.t.Helper()
	changed := make(chan struct{}, 1)
	cancel := s.Watch(func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	defer cancel()
	deadline := time.After(patience)
	again := time.NewTicker(20 * time.Millisecond) // times and holders change without a word
	defer again.Stop()
	for {
		if st := s.Status(); ok(st) {
			return st
		}
		select {
		case <-changed:
		case <-again.C:
		case <-deadline:
			b.t.Fatalf("%s: not within %s: %+v", what, patience, s.Status())
		}
	}
}

func (b *bed) following(s *follower.Stream) {
	b.t.Helper()
	b.await(s, "following", func(st follower.Status) bool { return st.State == follower.StateFollowing })
}

// reach waits until the position covers id.
func (b *bed) reach(s *follower.Stream, id int64) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	if err := s.Wait(ctx, id); err != nil {
		b.t.Fatalf("wait for %d: %v: %+v", id, err, s.Status())
	}
}

// insert inserts a row in conn's transaction and returns its id.
func (b *bed) insert(conn interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, writer string,
) int64 {
	b.t.Helper()
	var id int64
	if err := conn.QueryRow(b.t.Context(), "INSERT INTO events (instance_name) VALUES ($1) RETURNING id", writer).Scan(&id); err != nil {
		b.t.Fatal(err)
	}
	return id
}

// begin opens a transaction on a connection of its own.
func (b *bed) begin() pgx.Tx {
	b.t.Helper()
	tx, err := b.connect().Begin(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return tx
}

func (b *bed) ok(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// streaming waits until some slot is being read.
func (b *bed) streaming() {
	b.t.Helper()
	b.until("a slot is read", "SELECT count(*) > 0 FROM pg_stat_replication WHERE state = 'streaming' AND application_name = 'tidemark'")
}

// until asks the server until the answer is true.
func (b *bed) until(what, sql string, args ...any) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		var yes bool
		b.ok(b.sql.QueryRow(b.t.Context(), sql, args...).Scan(&yes))
		if yes {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s: not within %s", what, patience)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

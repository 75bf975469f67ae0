package allocator

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// site is a server with a stream on it.
type site struct {
	t       testing.TB
	cluster *pgcluster.Cluster
	conn    *pgx.Conn // for looking and meddling
	pool    *pgxpool.Pool
	log     *logs
}

// logs keeps what is logged.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) has(what string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), what)
}

func (s *site) newPool(further string) *pgxpool.Pool {
	s.t.Helper()
	return s.newPoolOn(s.cluster.URL("", "") + further)
}

func (s *site) newPoolOn(url string) *pgxpool.Pool {
	s.t.Helper()
	cfg, err := pgxpool.ParseConfig(url + "&pool_max_conns=24")
	if err != nil {
		s.t.Fatal(err)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(pool.Close)
	return pool
}

// config is that of an instance on the stream; fast, and open to everybody.
func (s *site) config(instance string, writers ...string) Config {
	return Config{
		Stream: "test_stream", Instance: instance, Writers: writers, Sequence: "foobar_seq",
		Tables:       []Table{{Name: "foobar", IDColumn: "stream_id", InstanceColumn: "instance_name"}},
		IdleInterval: 50 * time.Millisecond,
		Logger:       slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// open opens an allocator and closes it when the test ends.
func (s *site) open(cfg Config) *Allocator {
	s.t.Helper()
	a, err := Open(s.t.Context(), s.pool, cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.closeAtEnd(a)
	return a
}

func (s *site) closeAtEnd(a *Allocator) {
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = a.Close(ctx) // tests that leave handles open say so elsewhere
	})
}

func (s *site) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.conn.Exec(s.t.Context(), sql, args...); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

func (s *site) number(sql string, args ...any) int64 {
	s.t.Helper()
	var n *int64
	if err := s.conn.QueryRow(s.t.Context(), sql, args...).Scan(&n); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	if n == nil {
		return -1 << 60
	}
	return *n
}

// stored is an instance's stored position.
func (s *site) stored(instance string) int64 {
	s.t.Helper()
	return s.number("SELECT max(stream_id) FROM stream_positions WHERE stream_name = 'test_stream' AND instance_name = $1", instance)
}

// next draws an id.
func (s *site) next(a *Allocator) *Handle {
	s.t.Helper()
	h, err := a.Next(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return h
}

// write writes a row under a new id and finishes it.
func (s *site) write(a *Allocator) int64 {
	s.t.Helper()
	var id int64
	err := a.With(s.t.Context(), 1, func(ctx context.Context, ids []int64) error {
		id = ids[0]
		_, err := s.pool.Exec(ctx, "INSERT INTO foobar VALUES ($1, $2)", id, a.cfg.Instance)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// patience is how long a test waits for what must come.
const patience = 15 * time.Second

// await waits until a condition holds that the background brings about.
func (s *site) await(what string, holds func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("not in %v: %s", patience, what)
		}
	}
}

// stays makes sure that a condition holds for a while: several idle intervals,
// looks and forced flushes.
func (s *site) stays(what string, holds func() bool) {
	s.t.Helper()
	for end := time.Now().Add(700 * time.Millisecond); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if !holds() {
			s.t.Fatalf("no longer: %s", what)
		}
	}
}

// connect opens one more session.
func (s *site) connect() *pgx.Conn {
	s.t.Helper()
	return pgtest.Connect(s.t, s.cluster)
}

package remote_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/internal/positionstest"
	"github.com/tidemark-pg/tidemark/follower/remote"
	"github.com/tidemark-pg/tidemark/follower/tail"
	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
	"github.com/tidemark-pg/tidemark/internal/web"
)

// server is a real PostgreSQL server on which each case has a database.
type server struct {
	cluster *pgcluster.Cluster
	admin   sync.Mutex // CREATE DATABASE goes one at a time
	cases   int
}

// database is one with the stream "events".
type database struct {
	url string
	sql *pgx.Conn
}

func startServer(t *testing.T) *server {
	t.Helper()
	return &server{cluster: pgtest.Start(t, pgtest.Setting("fsync", "off"), pgtest.Setting("max_connections", "300"),
		pgtest.Setting("max_wal_senders", "50"), pgtest.Setting("max_replication_slots", "50"))}
}

func (s *server) database(t *testing.T) *database {
	t.Helper()
	s.admin.Lock()
	defer s.admin.Unlock()
	s.cases++
	name := fmt.Sprintf("case_%d", s.cases)
	pgtest.Exec(t, pgtest.Connect(t, s.cluster), "CREATE DATABASE "+name)
	d := &database{url: s.cluster.URL("", name)}
	d.sql = pgtest.ConnectURL(t, d.url)
	pgtest.Exec(t, d.sql, `CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, instance_name text);
		CREATE PUBLICATION tidemark FOR TABLE events (id, instance_name) WITH (publish = 'insert')`)
	return d
}

func (d *database) insert(t *testing.T, writer string) (id int64) {
	t.Helper()
	if err := d.sql.QueryRow(t.Context(), "INSERT INTO events (instance_name) VALUES ($1) RETURNING id", writer).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

func (d *database) stream() follower.StreamConfig {
	return follower.StreamConfig{
		Name:   "events",
		Tables: []follower.TableConfig{{Name: "public.events", IDColumn: "id", InstanceColumn: "instance_name"}},
	}
}

// embed runs a follower until the test ends, or stop is called.
func (d *database) embed(t *testing.T) (f *follower.Follower, stop func()) {
	t.Helper()
	f, err := follower.New(follower.Config{
		Database: d.url, Streams: []follower.StreamConfig{d.stream()},
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run follower: %v", err)
		}
		ended <- nil
	}
	t.Cleanup(stop)
	return f, stop
}

// shown is a follower as a daemon shows it.
type shown struct{ *follower.Follower }

func (s shown) Streams() []web.Stream {
	var all []web.Stream
	for _, st := range s.Follower.Streams() {
		all = append(all, st)
	}
	return all
}

func (s shown) Stream(name string) (web.Stream, bool) { return s.Follower.Stream(name) }

func (d *database) bed(t *testing.T, s positionstest.Stream) positionstest.Bed {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.WaitFor(ctx, follower.Target{}); err != nil {
		t.Fatalf("the first position: %v", err)
	}
	return positionstest.Bed{
		Stream:    s,
		Insert:    func(writer string) int64 { return d.insert(t, writer) },
		StartOver: func() { pgtest.Exec(t, d.sql, "TRUNCATE events RESTART IDENTITY") },
	}
}

// The same tests for the embedded follower and for a client of a daemon.
func TestConformanceOnARealServer(t *testing.T) {
	s := startServer(t)
	t.Run("embedded", func(t *testing.T) {
		positionstest.Run(t, func(t *testing.T) positionstest.Bed {
			d := s.database(t)
			f, _ := d.embed(t)
			return d.bed(t, f.Streams()[0])
		})
	})
	t.Run("remote", func(t *testing.T) {
		positionstest.Run(t, func(t *testing.T) positionstest.Bed {
			d := s.database(t)
			f, _ := d.embed(t)
			r := follow(t, serve(t, web.Config{Source: shown{f}}).url)
			await(t, r, "following", in(follower.StateFollowing, ""))
			return d.bed(t, r)
		})
	})
}

// A worker reads rows by the positions of two daemons, which come and go.
func TestTailByDaemons(t *testing.T) {
	db := startServer(t).database(t)
	first, stopFirst := db.embed(t)
	one := serve(t, web.Config{Source: shown{first}})
	second, _ := db.embed(t)
	two := serve(t, web.Config{Source: shown{second}})
	positions := follow(t, one.url, two.url)
	rows, err := tail.New(tail.Config{Stream: db.stream(), Positions: positions, Database: db.url, BatchRows: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close(context.WithoutCancel(t.Context()))

	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	read := int64(0)
	until := func(last int64) {
		t.Helper()
		for read < last {
			batch, err := rows.Next(ctx)
			if err != nil {
				t.Fatalf("after %d of %d: %v", read, last, err)
			}
			for _, row := range batch.Rows {
				if read++; row.ID != read {
					t.Fatalf("row %d after %d", row.ID, read-1)
				}
			}
		}
	}
	write := func(n int) (last int64) {
		for range n {
			last = db.insert(t, "a")
		}
		return last
	}
	until(write(10))
	one.stop() // hop
	stopFirst()
	until(write(10))
	two.stop() // nobody is left
	last := write(10)
	await(t, positions, "reconnecting", in(follower.StateReconnecting, ""))
	third, _ := db.embed(t) // a daemon that was killed and restarted
	two.cfg.Source = shown{third}
	two.start()
	until(last)
	if st := positions.Status(); st.LateRows != 0 || st.Position < last {
		t.Errorf("%+v", st)
	}
}

var _ positionstest.Stream = (*remote.Stream)(nil)

package tail_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/tail"
)

func TestFailure(t *testing.T) {
	each(t, map[string]func(*bed){
		"row-level security at the start":              hiddenRowsAreRefused,
		"row-level security that comes later":          rowsHiddenLater,
		"ids that start over":                          idsStartOver,
		"ids that start over before anybody knows":     staleEpoch,
		"a stored epoch that is over":                  storedEpoch,
		"an epoch that ends while a page is read":      epochEndsMeanwhile,
		"another system":                               otherSystem,
		"another timeline is waited for":               otherTimeline,
		"a server behind the position is waited for":   serverBehind,
		"no privilege":                                 noPrivilege,
		"a table dropped meanwhile, and made again":    tableDropped,
		"a table that never was":                       tableMissing,
		"a connection lost between and within batches": connectionLost,
		"a server that cannot be reached yet":          connectLater,
	})
}

// fixed tells a position that does not move, and an epoch and LSN that need not
// be true.
type fixed struct {
	*follower.Stream
	position int64
	epoch    string
	lsn      pglogrepl.LSN
}

func (f *fixed) CurrentToken() int64 { return f.position }
func (f *fixed) Epoch() string       { return f.epoch }

func (f *fixed) Status() follower.Status {
	st := f.Stream.Status()
	st.LSN = max(st.LSN, f.lsn)
	return st
}

func (f *fixed) WaitFor(ctx context.Context, t follower.Target) error {
	switch {
	case t.Epoch != "" && t.Epoch != f.epoch:
		return &follower.EpochError{Stream: f.Stream.Status().Name, Want: t.Epoch, Have: f.epoch}
	case max(t.Position, -t.Position) <= max(f.position, -f.position):
		return nil
	case t.Position == math.MaxInt64:
		return f.Stream.WaitFor(ctx, t)
	}
	<-ctx.Done()
	return ctx.Err()
}

// known waits for the first position.
func (b *bed) known(s *follower.Stream) *follower.Stream {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	if err := s.WaitFor(ctx, follower.Target{}); err != nil {
		b.Fatal(err)
	}
	return s
}

// reader makes a role and returns the URL with which it connects.
func (b *bed) reader(grants string) string {
	b.Helper()
	b.exec("CREATE ROLE reader_" + b.name + " LOGIN; " + strings.ReplaceAll(grants, "ROLE", "reader_"+b.name))
	return b.cluster.URL("reader_"+b.name, b.name)
}

const policy = `ALTER TABLE a ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON a USING (id % 2 = 0);`

// RULES 22.
func hiddenRowsAreRefused(b *bed) {
	b.exec(two + policy)
	b.exec(`INSERT INTO a (writer) SELECT 'w' FROM generate_series(1, 4)`)
	url := b.reader("GRANT SELECT ON a TO ROLE")
	err := b.fails(b.tail(stream("a"), func(c *tail.Config) { c.Database = url }))
	var unmet *follower.RequirementError
	if !errors.As(err, &unmet) {
		b.Fatalf("error %v", err)
	}
	b.contains(err, "row-level security of table a hides rows", "BYPASSRLS")
}

func rowsHiddenLater(b *bed) {
	b.exec(two)
	b.exec(`INSERT INTO a (writer) SELECT 'w' FROM generate_series(1, 4)`)
	url := b.reader("GRANT SELECT ON a TO ROLE")
	t := b.tail(stream("a"), func(c *tail.Config) { c.Database, c.BatchRows = url, 2 })
	b.equal("before", ids(b.next(t).Rows), "1 2")
	b.exec(policy)
	b.contains(b.fails(t), "row-level security", "BYPASSRLS")
	b.exec("DROP POLICY p ON a; ALTER TABLE a DISABLE ROW LEVEL SECURITY")
	b.equal("after", ids(b.next(t).Rows), "3 4")
}

func (b *bed) epochError(err error) *follower.EpochError {
	b.Helper()
	var epoch *follower.EpochError
	if !errors.As(err, &epoch) {
		b.Fatalf("error %v, want one of the epoch", err)
	}
	b.contains(err, "two histories")
	return epoch
}

const owned = `CREATE TABLE a (id bigint GENERATED ALWAYS AS IDENTITY, writer text);`

func ownedStream() follower.StreamConfig {
	cfg := stream("a")
	cfg.Sequence = ""
	return cfg
}

func idsStartOver(b *bed) {
	b.exec(owned)
	b.exec(`INSERT INTO a (writer) SELECT 'w' FROM generate_series(1, 4)`)
	t := b.tail(ownedStream(), nil)
	before := b.next(t).Epoch
	b.exec(`TRUNCATE a RESTART IDENTITY; INSERT INTO a (writer) SELECT 'w' FROM generate_series(1, 9)`)
	epoch := b.epochError(b.fails(t))
	if epoch.Want != before || epoch.Have == before || epoch.Have == "" {
		b.Fatalf("epochs %+v, was %s", epoch, before)
	}
	b.epochError(b.fails(t)) // it stays so
}

// The page itself shows that ids started over: whoever tells positions may not
// have noticed yet.
func staleEpoch(b *bed) {
	b.exec(owned)
	b.exec(`INSERT INTO a (writer) SELECT 'w' FROM generate_series(1, 4)`)
	cfg := ownedStream()
	s := b.known(b.follow(cfg, follower.SlotNone))
	positions := &fixed{Stream: s, position: 100, epoch: s.Epoch()}
	t := b.tailOf(tail.Config{Stream: cfg, Positions: positions, BatchRows: 2}, nil)
	b.equal("before", ids(b.next(t).Rows), "1 2")
	b.exec(`TRUNCATE a RESTART IDENTITY; INSERT INTO a (writer) SELECT 'new' FROM generate_series(1, 9)`)
	_, err := t.Next(b.Context())
	b.epochError(err)
	fresh := b.tailOf(tail.Config{Stream: cfg, Positions: positions}, nil)
	_, err = fresh.Next(b.Context())
	b.epochError(err)
}

func storedEpoch(b *bed) {
	b.exec(two)
	b.exec(`INSERT INTO a (writer) VALUES ('w')`)
	cfg := stream("a")
	s := b.known(b.follow(cfg, follower.SlotNone))
	t := b.tailOf(tail.Config{Stream: cfg, Positions: s, After: 7, Epoch: "an earlier one"}, nil)
	b.epochError(b.fails(t))
	t = b.tailOf(tail.Config{Stream: cfg, Positions: s, Epoch: s.Epoch()}, nil)
	b.equal("same epoch", ids(b.next(t).Rows), "1")
}

// A page that was read when another epoch had begun may hold its rows.
func epochEndsMeanwhile(b *bed) {
	b.exec(two)
	b.exec(`INSERT INTO a (writer) VALUES ('w')`)
	s := b.known(b.follow(stream("a"), follower.SlotNone))
	positions := &fixed{Stream: s, position: 1, epoch: s.Epoch()}
	t := b.tailOf(tail.Config{Stream: stream("a"), Positions: positions}, func(c *tail.Config) {
		c.Connect = func(ctx context.Context) (*pgx.Conn, error) {
			positions.epoch = "another"
			return pgx.Connect(ctx, b.url)
		}
	})
	_, err := t.Next(b.Context())
	b.epochError(err)
}

// RULES 3.
func otherSystem(b *bed) {
	b.exec(two)
	s := b.follow(stream("a"), follower.SlotNone)
	t := b.tailOf(tail.Config{Stream: stream("a"), Positions: &fixed{Stream: s, position: 9, epoch: "123/1/0"}}, nil)
	b.contains(b.fails(t), "positions are another server's", "123")
}

// waits fails unless a tail finds nothing to read, and says why.
func (b *bed) waits(cfg tail.Config, why string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	said := false
	t := b.tailOf(cfg, func(c *tail.Config) {
		c.Logger = slog.New(slog.NewTextHandler(hearing(func(line string) {
			if strings.Contains(line, why) {
				said = true
				cancel()
			}
		}), nil))
	})
	if batch, err := t.Next(ctx); !said || !errors.Is(err, context.Canceled) {
		b.Fatalf("read %v, %v, want it to say %q and try again", batch, err, why)
	}
}

// hearing is told of each line of a log.
type hearing func(line string)

func (h hearing) Write(line []byte) (int, error) {
	h(string(line))
	return len(line), nil
}

// RULES 11: a primary left behind by a failover may be reached too.
func otherTimeline(b *bed) {
	b.exec(two)
	b.exec(`INSERT INTO a (writer) VALUES ('w')`)
	s := b.known(b.follow(stream("a"), follower.SlotNone))
	positions := &fixed{Stream: s, position: 1, epoch: strings.Replace(s.Epoch(), "/1/", "/2/", 1)}
	b.waits(tail.Config{Stream: stream("a"), Positions: positions}, "positions come from timeline 2")
	positions.epoch = s.Epoch()
	b.equal("same timeline", ids(b.next(b.tailOf(tail.Config{Stream: stream("a"), Positions: positions}, nil)).Rows), "1")
}

func serverBehind(b *bed) {
	b.exec(two)
	b.exec(`INSERT INTO a (writer) VALUES ('w')`)
	s := b.known(b.follow(stream("a"), follower.SlotNone))
	positions := &fixed{Stream: s, position: 1, epoch: s.Epoch(), lsn: 1 << 40}
	b.waits(tail.Config{Stream: stream("a"), Positions: positions}, "where the position was found")
	positions.lsn = 0
	b.equal("caught up", ids(b.next(b.tailOf(tail.Config{Stream: stream("a"), Positions: positions}, nil)).Rows), "1")
}

func noPrivilege(b *bed) {
	b.exec(two)
	b.exec(`INSERT INTO a (writer) VALUES ('w')`)
	cfg := stream("a")
	s := b.follow(cfg, follower.SlotNone)
	url := b.reader("")
	t := b.tailOf(tail.Config{Stream: cfg, Positions: s}, func(c *tail.Config) { c.Database = url })
	b.contains(b.fails(t), "may not read", `GRANT SELECT ("id", "writer") ON`)
	b.exec("GRANT SELECT (id, writer) ON a TO reader_" + b.name)
	b.contains(b.fails(t), "permission denied for table a", "grant the role SELECT on all columns")
	b.exec("GRANT SELECT ON a TO reader_" + b.name)
	b.equal("granted", ids(b.next(t).Rows), "1")
}

func tableDropped(b *bed) {
	b.exec(two)
	b.exec(`INSERT INTO a (writer) VALUES ('w'); INSERT INTO b (writer) VALUES ('w')`)
	cfg := stream("a", "b")
	s := b.known(b.follow(cfg, follower.SlotNone))
	t := b.tailOf(tail.Config{Stream: cfg, Positions: &fixed{Stream: s, position: 100, epoch: s.Epoch()}, BatchRows: 1}, nil)
	b.equal("before", ids(b.next(t).Rows), "1")
	b.exec(`DROP TABLE b`)
	b.contains(b.fails(t), `read stream "events"`, "table b does not exist")
	b.exec(`CREATE TABLE b (LIKE a INCLUDING ALL); INSERT INTO b VALUES (3, 'again')`)
	b.equal("after", ids(b.next(t).Rows), "3")
}

func tableMissing(b *bed) {
	b.exec(two)
	s := b.known(b.follow(stream("a"), follower.SlotNone))
	cfg := stream("a", "public.aa")
	t := b.tailOf(tail.Config{Stream: cfg, Positions: &fixed{Stream: s, position: 100, epoch: s.Epoch()}}, nil)
	b.contains(b.fails(t), "table public.aa does not exist")
}

// terminate ends the backend that reads for the case, and tells whether there
// was one.
func (b *bed) terminate(conn *pgx.Conn) (found bool, err error) {
	err = conn.QueryRow(context.Background(), `SELECT coalesce(bool_or(pg_terminate_backend(pid)), false) FROM pg_stat_activity
		WHERE application_name = $1 AND datname = $2`, tail.DefaultApplicationName, b.name).Scan(&found)
	return found, err
}

func connectionLost(b *bed) {
	b.exec(two)
	b.exec(`INSERT INTO a (writer) SELECT 'w' FROM generate_series(1, 6)`)
	t := b.tail(stream("a", "b"), func(c *tail.Config) { c.BatchRows = 2; until(6)(c) })
	b.equal("first", ids(b.next(t).Rows), "1 2")
	if found, err := b.terminate(b.sql); !found || err != nil {
		b.Fatalf("terminated: %v, %v", found, err)
	}
	b.equal("between", ids(b.next(t).Rows), "3 4")
	// A lock holds the next query until its backend is ended within it.
	locker := b.connect()
	tx, err := locker.Begin(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if _, err := tx.Exec(b.Context(), "LOCK TABLE b"); err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		for {
			var waits bool
			err := b.sql.QueryRow(context.Background(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = $1
				AND datname = $2 AND wait_event_type = 'Lock')`, tail.DefaultApplicationName, b.name).Scan(&waits)
			if err == nil && waits {
				_, err = b.terminate(b.sql)
				ended <- errors.Join(err, tx.Rollback(context.Background()))
				return
			}
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	b.equal("within", ids(b.next(t).Rows), "5 6")
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}

func connectLater(b *bed) {
	b.exec(two)
	b.exec(`INSERT INTO a (writer) VALUES ('w')`)
	attempts := 0
	t := b.tail(stream("a"), func(c *tail.Config) {
		c.Connect = func(ctx context.Context) (*pgx.Conn, error) {
			if attempts++; attempts < 3 {
				return nil, errors.New("no route")
			}
			return pgx.Connect(ctx, b.url)
		}
	})
	b.equal("rows", ids(b.next(t).Rows), "1")
	refused := b.tail(stream("a"), func(c *tail.Config) { c.Database = b.cluster.URL("nobody_at_all", b.name) })
	b.contains(b.fails(refused), "nobody_at_all")
}

func TestConfigIsRefused(t *testing.T) {
	t.Parallel()
	_, err := tail.New(tail.Config{After: -1, Limit: -1, BatchRows: -1})
	for _, part := range []string{"no positions", "neither a database", "no table", "limit -1", "batches of -1", "after -1"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v, want %q in it", err, part)
		}
	}
	cfg := tail.Config{Stream: stream("a"), Positions: (*follower.Stream)(nil), Database: "postgres://u:secret@h:port/d", After: 1}
	cfg.Stream.Descending = true
	if _, err = tail.New(cfg); err == nil || !strings.Contains(err.Error(), "after 1") {
		t.Errorf("error %v", err)
	}
	cfg.After = -1
	if _, err = tail.New(cfg); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
}

package pagetest

import (
	"context"
	"flag"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// shared is what the tests have in common: it is begun by the first that needs
// it and ends with the last.
type shared struct {
	begin sync.Once
	err   error

	mu      sync.Mutex
	closing []func() // the last first

	browser context.Context
	cluster *pgcluster.Cluster
	daemon  *daemon
}

var common shared

func TestMain(m *testing.M) {
	// Pages mostly wait for what they look at every two seconds.
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
		panic(err) // there is such a flag
	}
	code := m.Run()
	common.end()
	os.Exit(code)
}

// use begins what the tests have in common. Without a browser the test is skipped.
func use(t *testing.T) *shared {
	t.Helper()
	if findChromium() == "" {
		t.Skip("no Chromium: install chromium, or name one in TIDEMARK_CHROMIUM, to test the page")
	}
	common.begin.Do(func() {
		var parts errgroup.Group
		parts.Go(common.startBrowser)
		parts.Go(func() error {
			if err := common.startServer(); err != nil {
				return err
			}
			return common.startDaemon()
		})
		common.err = parts.Wait()
	})
	if common.err != nil {
		t.Fatal(common.err)
	}
	return &common
}

func (c *shared) atEnd(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing = append([]func(){f}, c.closing...)
}

func (c *shared) end() {
	for _, f := range c.closing {
		f()
	}
}

// startServer starts a server that has the tables.
func (c *shared) startServer() (err error) {
	var o pgcluster.Options
	pgtest.Setting("fsync", "off")(&o)
	pgtest.Setting("max_prepared_transactions", "10")(&o)
	ctx := context.Background()
	if c.cluster, err = pgcluster.Start(ctx, o); err != nil {
		return err
	}
	c.atEnd(func() { _ = c.cluster.Close() })
	conn, err := pgx.Connect(ctx, c.cluster.URL("", ""))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, table := range tables() {
		if _, err := conn.Exec(ctx, create(table)); err != nil {
			return err
		}
	}
	return nil
}

// startDaemon starts the daemon that most tests look at.
func (c *shared) startDaemon() (err error) {
	text := config(c.cluster.URL("", ""), tables(), "{name: page}", local)
	if err = command("setup", text); err != nil {
		return err
	}
	if c.daemon, err = startDaemon(text); err == nil {
		c.atEnd(func() { _ = c.daemon.stop() })
	}
	return err
}

package pgcluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// Cluster is one private PostgreSQL server with its data. Its methods may be
// called from several goroutines; those that start or stop the server wait
// for each other.
type Cluster struct {
	binaries  Binaries
	superuser string
	log       *slog.Logger
	account   *account  // whom the server runs as
	dir       string    // holds everything of this cluster
	port      int       // fixed at the first successful start
	guard     *watchdog // cleans up when this process is gone

	mu       sync.Mutex // held through every start and stop
	settings map[string]string
	server   *server // nil while no server runs
	closed   bool
}

// ErrClosed is returned by methods of a cluster after Close.
var ErrClosed = errors.New("cluster is closed")

// Start makes a cluster and returns once it accepts connections. The context
// bounds the start alone; the server runs until it is stopped or closed. On
// error nothing is left behind, and the error carries the end of the server's
// own log.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	c, err := prepare(o)
	if err != nil {
		return nil, fmt.Errorf("prepare cluster: %w", err)
	}
	if err := c.initialise(ctx, o.InitArgs); err != nil {
		return nil, errors.Join(fmt.Errorf("initialise cluster: %w", err), c.Close())
	}
	if err := c.firstStart(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start cluster: %w", err), c.Close())
	}
	return c, nil
}

// prepare makes the cluster's directory and the watchdog over it.
func prepare(o Options) (*Cluster, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	who, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(o.Dir, "tidemark-pg-*")
	if err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	guard, err := watch(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	c := &Cluster{
		binaries: o.Binaries, superuser: o.Superuser, settings: o.Settings,
		log: o.Logger, account: who, dir: dir, guard: guard,
	}
	if err := who.own(dir); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// initialise makes the data directory.
func (c *Cluster) initialise(ctx context.Context, further []string) error {
	args := []string{"--username", c.superuser, "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"}
	fill := func() error { return c.initdb(ctx, c.DataDir(), append(args, further...)) }
	if template := c.template(args); template != "" && len(further) == 0 {
		fill = func() error { return c.copyTemplate(ctx, template, args) }
	}
	if err := fill(); err != nil {
		return err
	}
	return c.includeSettings()
}

func (c *Cluster) initdb(ctx context.Context, dir string, args []string) error {
	return c.run(ctx, "initdb", append([]string{"--pgdata", dir}, args...)...)
}

// includeSettings makes the server read the file that writeSettings writes.
// It comes last in postgresql.conf; ALTER SYSTEM still goes over it.
func (c *Cluster) includeSettings() error {
	name := filepath.Join(c.DataDir(), "postgresql.conf")
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("open configuration: %w", err)
	}
	_, err = f.WriteString("\ninclude '" + settingsFile + "'\n")
	return errors.Join(err, f.Close())
}

// settingsFile, in the data directory, holds the cluster's own settings.
const settingsFile = "cluster.conf"

// writeSettings writes the settings for the next start or reload.
func (c *Cluster) writeSettings() error {
	all := maps.Clone(c.settings)
	maps.Copy(all, confined(c.port))
	name := filepath.Join(c.DataDir(), settingsFile)
	if err := os.WriteFile(name, []byte(configFile(all)), 0o600); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return c.account.own(name)
}

// URL is the connection string of a user and database on this cluster. The
// password is not asked for; "" means the superuser, and the database postgres.
func (c *Cluster) URL(user, db string) string {
	if user == "" {
		user = c.superuser
	}
	if db == "" {
		db = "postgres"
	}
	u := url.URL{
		Scheme:   "postgres",
		User:     url.User(user),
		Host:     net.JoinHostPort(loopback, strconv.Itoa(c.port)),
		Path:     "/" + db,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Port is the TCP port on 127.0.0.1. It stays the same through restarts.
func (c *Cluster) Port() int { return c.port }

// Major is the major version of the server.
func (c *Cluster) Major() int { return c.binaries.Major }

// Binaries is the installation that the cluster runs on.
func (c *Cluster) Binaries() Binaries { return c.binaries }

// PID is the process id of the postmaster, 0 while none runs. Tests freeze it
// or look for its children.
func (c *Cluster) PID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil || !c.server.running() {
		return 0
	}
	return c.server.cmd.Process.Pid
}

// DataDir is the server's data directory.
func (c *Cluster) DataDir() string { return filepath.Join(c.dir, "data") }

// LogTail returns the last n lines of the server's log, oldest first; what
// stands in the way of reading it, where something does.
func (c *Cluster) LogTail(n int) string {
	text, err := os.ReadFile(c.logFile())
	if err != nil {
		return fmt.Sprintf("(no server log: %v)", err)
	}
	lines := strings.SplitAfter(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

func (c *Cluster) logFile() string { return filepath.Join(c.dir, "server.log") }

// Close stops the server at once and removes everything the cluster has on
// disk. Calling it again does nothing.
func (c *Cluster) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	return errors.Join(c.discard(), c.guard.release())
}

// discard ends the server, by force where it does not go, and its files.
func (c *Cluster) discard() error {
	err := c.endServer()
	if rm := os.RemoveAll(c.dir); rm != nil {
		err = errors.Join(err, fmt.Errorf("remove cluster: %w", rm))
	}
	return err
}

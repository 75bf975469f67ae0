package pgcluster

import (
	"context"
	"fmt"
	"maps"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// SetSettings changes settings of the running server and returns once new
// sessions see them; sessions that exist take them over before their next
// command. What only a restart applies waits for that. On a stopped cluster
// the next start applies them.
func (c *Cluster) SetSettings(ctx context.Context, settings map[string]string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return fmt.Errorf("set settings: %w", ErrClosed)
	}
	maps.Copy(c.settings, settings)
	if err := c.writeSettings(); err != nil {
		return fmt.Errorf("set settings: %w", err)
	}
	if c.server == nil || !c.server.running() {
		return nil
	}
	if err := c.reload(ctx); err != nil {
		return fmt.Errorf("set settings: %w", err)
	}
	return nil
}

// Reload makes the server read its configuration files and returns once new
// sessions see the result.
func (c *Cluster) Reload(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil || !c.server.running() {
		return fmt.Errorf("reload: %w", ErrStopped)
	}
	if err := c.reload(ctx); err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	return nil
}

func (c *Cluster) reload(ctx context.Context) error {
	before, err := c.loadTime(ctx)
	if err != nil {
		return err
	}
	if err := c.server.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		return fmt.Errorf("signal postmaster: %w", err)
	}
	for {
		now, err := c.loadTime(ctx)
		if err != nil {
			return err
		}
		if now.After(before) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the configuration: %w", ctx.Err())
		case <-time.After(pollPause):
		}
	}
}

// loadTime is when the postmaster last read its configuration. A new session
// inherits it; an old one would tell its own.
func (c *Cluster) loadTime(ctx context.Context) (time.Time, error) {
	var at time.Time
	err := c.ask(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT pg_conf_load_time()").Scan(&at)
	})
	return at, err
}

// Promote makes a standby a primary and returns when it takes writes.
func (c *Cluster) Promote(ctx context.Context) error {
	const wait = 60 // seconds that the server itself waits
	var promoted bool
	err := c.ask(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT pg_promote(true, $1)", wait).Scan(&promoted)
	})
	if err != nil {
		return fmt.Errorf("promote: %w", err)
	}
	if !promoted {
		return fmt.Errorf("promote: still a standby after %d s", wait)
	}
	return nil
}

// ask runs a question in a superuser's session of its own.
func (c *Cluster) ask(ctx context.Context, question func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, c.URL("", ""))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return question(conn)
}

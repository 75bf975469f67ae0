package pgcluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
)

// Standby makes a physical standby of this cluster and returns once it
// accepts connections. It follows this cluster as name, which is what
// synchronous_standby_names and pg_stat_replication show. It runs on the same binaries, with
// this cluster's settings and those of the options over them, except for
// synchronous_standby_names: promoted, it would wait for standbys that it does
// not have. Its superuser is the same.
func (c *Cluster) Standby(ctx context.Context, name string, o Options) (*Cluster, error) {
	c.mu.Lock()
	settings := maps.Clone(c.settings)
	c.mu.Unlock()
	delete(settings, "synchronous_standby_names")
	maps.Copy(settings, o.Settings)
	settings["primary_conninfo"] = c.conninfo(name)
	o.Settings, o.Binaries, o.Superuser = settings, c.binaries, c.superuser
	s, err := prepare(o)
	if err != nil {
		return nil, fmt.Errorf("prepare standby: %w", err)
	}
	if err := s.copyFrom(ctx, c); err != nil {
		return nil, errors.Join(fmt.Errorf("copy primary: %w", err), s.Close())
	}
	if err := s.firstStart(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start standby: %w", err), s.Close())
	}
	return s, nil
}

// conninfo is how a standby reaches this cluster. The database is for the
// worker that copies failover slots: replication itself needs none.
func (c *Cluster) conninfo(name string) string {
	return "host=" + loopback + " port=" + strconv.Itoa(c.port) + " user=" + c.superuser +
		" dbname=postgres sslmode=disable application_name=" + name
}

// copyFrom fills the data directory with a copy of a running primary's.
func (c *Cluster) copyFrom(ctx context.Context, primary *Cluster) error {
	var err error
	if c.binaries.Has("pg_basebackup") {
		err = c.run(ctx, "pg_basebackup", "--pgdata", c.DataDir(), "--no-sync", "--checkpoint", "fast",
			"--dbname", primary.conninfo("basebackup"))
	} else {
		err = c.copyOnline(ctx, primary)
	}
	if err != nil {
		return err
	}
	signal := filepath.Join(c.DataDir(), "standby.signal")
	if err := os.WriteFile(signal, nil, 0o600); err != nil {
		return fmt.Errorf("make it a standby: %w", err)
	}
	return c.account.own(signal)
}

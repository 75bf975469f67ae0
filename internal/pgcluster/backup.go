package pgcluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
)

// copyOnline copies a running primary's data directory without pg_basebackup,
// which some installations lack: a low-level base backup.
func (c *Cluster) copyOnline(ctx context.Context, primary *Cluster) error {
	return primary.ask(ctx, func(conn *pgx.Conn) error {
		// The slot keeps the WAL that the copy needs until it is copied too.
		slot := fmt.Sprintf("tidemark_backup_%d", conn.PgConn().PID())
		if _, err := conn.Exec(ctx, "SELECT pg_create_physical_replication_slot($1, true, true)", slot); err != nil {
			return fmt.Errorf("keep WAL: %w", err)
		}
		if _, err := conn.Exec(ctx, "SELECT pg_backup_start('tidemark', true)"); err != nil {
			return fmt.Errorf("begin backup: %w", err)
		}
		if err := c.copyTree(primary.DataDir(), "", leftOutOfBackup); err != nil {
			return fmt.Errorf("copy data: %w", err)
		}
		var label string
		if err := conn.QueryRow(ctx, "SELECT labelfile FROM pg_backup_stop(false)").Scan(&label); err != nil {
			return fmt.Errorf("end backup: %w", err)
		}
		if err := c.copyTree(primary.DataDir(), "pg_wal", nothingLeftOut); err != nil {
			return fmt.Errorf("copy WAL: %w", err)
		}
		name := filepath.Join(c.DataDir(), "backup_label")
		if err := os.WriteFile(name, []byte(label), 0o600); err != nil {
			return fmt.Errorf("write backup label: %w", err)
		}
		return c.account.own(name)
	})
}

// leftOutOfBackup tells what a base backup must not hold: the state of the
// running server, its slots, and the WAL, which comes after everything else.
func leftOutOfBackup(rel string) bool {
	switch rel {
	case "postmaster.pid", "postmaster.opts":
		return true
	}
	switch parent := filepath.Dir(rel); parent {
	case "pg_wal", "pg_replslot", "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots", "pg_stat_tmp", "pg_subtrans":
		return true
	}
	return strings.HasPrefix(filepath.Base(rel), "pgsql_tmp")
}

func nothingLeftOut(string) bool { return false }

// copyTree copies the directory sub of source to the same place in this
// cluster's data directory. Files that vanish meanwhile are left out: the
// server that owns them is running, and the WAL tells of it.
func (c *Cluster) copyTree(source, sub string, leftOut func(rel string) bool) error {
	return filepath.WalkDir(filepath.Join(source, sub), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(source, path)
		if err != nil {
			return err
		}
		if leftOut(rel) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		return c.copyEntry(path, filepath.Join(c.DataDir(), rel), d)
	})
}

// copyEntry copies one directory (without what is in it) or regular file.
func (c *Cluster) copyEntry(from, to string, d fs.DirEntry) error {
	if d.IsDir() {
		if err := os.MkdirAll(to, 0o700); err != nil {
			return err
		}
		return c.account.own(to)
	}
	if !d.Type().IsRegular() {
		return fmt.Errorf("%s is neither a file nor a directory: tablespaces are not supported", from)
	}
	in, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close(), c.account.own(to))
}

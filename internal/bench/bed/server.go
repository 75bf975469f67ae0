package bed

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/tidemark-pg/tidemark/internal/pgcluster"
)

// Server is the PostgreSQL server of one run.
type Server struct {
	// Version as the server writes it: "15.18".
	Version string
	// RecvLogical is the path of a pg_recvlogical.
	RecvLogical string

	cluster *pgcluster.Cluster
}

// ErrNoRecvLogical is returned where no installation has pg_recvlogical.
var ErrNoRecvLogical = errors.New("no pg_recvlogical found: install PostgreSQL's server or client package")

// Start starts a server of that major version; 0 takes the newest whose
// installation holds pg_recvlogical, so that both are of one version.
func Start(ctx context.Context, major int) (*Server, error) {
	peer, err := withRecvLogical()
	if err != nil {
		return nil, err
	}
	binaries := peer
	if major != 0 {
		if binaries, err = pgcluster.Find(major); err != nil {
			return nil, err
		}
	}
	if binaries.Has("pg_recvlogical") {
		peer = binaries
	}
	cluster, err := pgcluster.Start(ctx, pgcluster.Options{Binaries: binaries, Settings: settings()})
	if err != nil {
		return nil, err
	}
	return &Server{
		Version: binaries.Version, RecvLogical: filepath.Join(peer.Dir, "pg_recvlogical"), cluster: cluster,
	}, nil
}

// newest and oldest major versions that are looked for.
const (
	newest = 30
	oldest = 15
)

func withRecvLogical() (pgcluster.Binaries, error) {
	for major := newest; major >= oldest; major-- {
		if b, err := pgcluster.Find(major); err == nil && b.Has("pg_recvlogical") {
			return b, nil
		}
	}
	return pgcluster.Binaries{}, ErrNoRecvLogical
}

// settings are PostgreSQL's defaults but for what would make runs differ by
// chance: a checkpoint in one of them, and not in the next.
func settings() map[string]string {
	return map[string]string{
		"max_wal_size": "32GB", "checkpoint_timeout": "1d",
		"max_connections": "300", "max_replication_slots": "50", "max_wal_senders": "50",
	}
}

// Close stops the server and removes all that it had.
func (s *Server) Close() error { return s.cluster.Close() }

// LogTail returns the last lines of the server's log.
func (s *Server) LogTail(lines int) string { return s.cluster.LogTail(lines) }

// Database makes an empty database.
func (s *Server) Database(ctx context.Context, name string) (*Database, error) {
	if err := Exec(ctx, s.cluster.URL("", ""), "CREATE DATABASE "+name); err != nil {
		return nil, fmt.Errorf("make database %s: %w", name, err)
	}
	return &Database{Name: name, URL: s.cluster.URL("", name), server: s}, nil
}

package bed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Database is the database of one comparison.
type Database struct {
	// Name of the database, and URL to connect to it as the superuser.
	Name, URL string

	server *Server
}

// Drop ends the sessions and slots of the database and drops it.
func (d *Database) Drop(ctx context.Context) error {
	return errors.Join(
		d.Exec(ctx, `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
			WHERE database = current_database() AND NOT active`),
		Exec(ctx, d.server.cluster.URL("", ""), "DROP DATABASE "+d.Name+" WITH (FORCE)"))
}

// Exec runs statements one after the other in a session of its own.
func (d *Database) Exec(ctx context.Context, sql ...string) error { return Exec(ctx, d.URL, sql...) }

// Exec runs statements one after the other in a session of its own.
func Exec(ctx context.Context, url string, sql ...string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, s := range sql {
		if _, err := conn.PgConn().Exec(ctx, s).ReadAll(); err != nil {
			return fmt.Errorf("%.80s: %w", s, err)
		}
	}
	return nil
}

// Ask reads one value.
func Ask[T any](ctx context.Context, d *Database, sql string, args ...any) (value T, err error) {
	conn, err := pgx.Connect(ctx, d.URL)
	if err != nil {
		return value, fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if err := conn.QueryRow(ctx, sql, args...).Scan(&value); err != nil {
		return value, fmt.Errorf("%.80s: %w", sql, err)
	}
	return value, nil
}

// ServerProcessor is the processor time that the database's server has used, as
// Server.Processor tells it.
func (d *Database) ServerProcessor() (time.Duration, error) { return d.server.Processor() }

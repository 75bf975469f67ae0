package server

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// farewell is how long a server may take to end a session.
const farewell = 2 * time.Second

// Close ends a session that has served its purpose, also where the context it
// worked in has ended. A server that is gone does not hold it up for long, and
// what it says to the end changes nothing.
func Close(conn *pgx.Conn) { CloseReplication(conn.PgConn()) }

// CloseReplication is Close for a replication connection.
func CloseReplication(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	_ = conn.Close(ctx)
}

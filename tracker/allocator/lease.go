package allocator

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// HeldError says that another session uses the instance's name on the stream.
type HeldError struct {
	// Stream and Instance are what is in use.
	Stream, Instance string
	// PID is the backend that holds the lease, 0 if it was gone when asked for.
	PID int32
	// Application is that session's application_name.
	Application string
}

// Error names the holder.
func (e *HeldError) Error() string {
	return fmt.Sprintf("instance %q of stream %q is in use by backend %d (application %q): "+
		"two processes must not share a name; stop the other one, or end its session with pg_terminate_backend(%d)",
		e.Instance, e.Stream, e.PID, e.Application, e.PID)
}

// leasePatience is how long a lease that another session holds is asked for: a
// process that was killed leaves its session behind for a moment.
const (
	leasePatience = time.Second
	leasePause    = 25 * time.Millisecond
)

// leaseKey is the advisory lock that stands for an instance of a stream.
func leaseKey(stream, instance string) int64 {
	h := sha256.Sum256([]byte("tidemark allocator\x00" + stream + "\x00" + instance))
	return int64(binary.BigEndian.Uint64(h[:8]))
}

// lease is a connection of its own that holds the instance's advisory lock for
// as long as it lives. Whatever must not happen without the lock is done over
// this connection: then the server itself sees to it, and no check can be too
// early. That is every draw, and every reading of the sequence from which an
// announcement follows. RULES 18.
type lease struct {
	pool             *pgxpool.Pool
	stream, instance string
	begin            func(context.Context, *pgx.Conn) error // after each taking of the lock

	turn chan struct{} // holds a token: whose it is may use what follows
	conn *pgx.Conn     // nil while there is none
	pid  uint32
	life int // counts how often the lease was taken
}

func newLease(pool *pgxpool.Pool, stream, instance string, begin func(context.Context, *pgx.Conn) error) *lease {
	l := &lease{pool: pool, stream: stream, instance: instance, begin: begin, turn: make(chan struct{}, 1)}
	l.turn <- struct{}{}
	return l
}

// errOtherBackend: a pooler in between hands statements to any backend, and a
// session's lock means nothing. RULES 3.
var errOtherBackend = errors.New("the connection reached another backend: connect to PostgreSQL itself, not through a transaction pooler")

// use calls f with the connection, alone; it takes the lease first where it is
// not held. f must check each answer's backend with verify.
func (l *lease) use(ctx context.Context, f func(context.Context, *pgx.Conn) error) error {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return fmt.Errorf("wait for the lease's connection: %w", context.Cause(ctx))
	}
	defer func() { l.turn <- struct{}{} }()
	if err := l.hold(ctx); err != nil {
		return err
	}
	err := f(ctx, l.conn)
	if errors.Is(err, errOtherBackend) {
		l.drop()
	}
	return err
}

func (l *lease) verify(pid uint32) error {
	if pid != l.pid {
		return errOtherBackend
	}
	return nil
}

// hold sees to it that the lease is held and its life begun.
func (l *lease) hold(ctx context.Context) error {
	if l.conn != nil && !l.conn.IsClosed() {
		return nil
	}
	l.conn = nil
	conn, err := takeLease(ctx, l.pool, l.stream, l.instance, leasePatience)
	if err != nil {
		return fmt.Errorf("take the lease: %w", err)
	}
	l.conn, l.pid, l.life = conn, conn.PgConn().PID(), l.life+1
	if err := l.begin(ctx, conn); err != nil {
		l.drop()
		return err
	}
	return nil
}

// drop ends the session, and with it the lease.
func (l *lease) drop() {
	if l.conn != nil {
		closeSoon(l.conn)
		l.conn = nil
	}
}

// close ends the session; it is not taken again by whoever comes later, because
// that finds the allocator closed. It waits for its turn, which whoever has it
// gives back at the allocator's end.
func (l *lease) close() {
	<-l.turn
	l.drop()
	l.turn <- struct{}{}
}

// closing is how long a session may take to say goodbye.
const closing = 2 * time.Second

func closeSoon(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	_ = conn.Close(ctx) // what is left of it ends with the socket
}

// connect opens a connection as the pool would, beside it: the pool may be
// small, and this one stays.
func connect(ctx context.Context, pool *pgxpool.Pool) (*pgx.Conn, error) {
	c := pool.Config()
	if c.BeforeConnect != nil {
		if err := c.BeforeConnect(ctx, c.ConnConfig); err != nil {
			return nil, err
		}
	}
	conn, err := pgx.ConnectConfig(ctx, c.ConnConfig)
	if err != nil {
		return nil, err
	}
	if c.AfterConnect != nil {
		err = c.AfterConnect(ctx, conn)
	}
	if err == nil {
		_, err = conn.Exec(ctx, session)
	}
	if err != nil {
		closeSoon(conn)
		return nil, err
	}
	return conn, nil
}

// session is what the connection needs whatever role or database say. The
// keepalives let the server notice within half a minute that the machine on the
// other side is gone, so that the name is free again.
const session = `SELECT set_config(name, value, false) FROM (VALUES
	('synchronous_commit', 'local'), ('default_transaction_isolation', 'read committed'),
	('statement_timeout', '0'), ('lock_timeout', '0'), ('idle_session_timeout', '0'),
	('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3')
) AS s (name, value)`

const tryLease = `SELECT pg_try_advisory_lock($1)`

// whoHolds finds the holder: a bigint key shows as two halves.
const whoHolds = `SELECT l.pid, coalesce(a.application_name, '') FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
	AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
	AND l.classid = (($1::int8 >> 32) & 4294967295)::oid AND l.objid = ($1::int8 & 4294967295)::oid`

// takeLease connects and takes the instance's lock, within patience.
func takeLease(ctx context.Context, pool *pgxpool.Pool, stream, instance string, patience time.Duration) (*pgx.Conn, error) {
	conn, err := connect(ctx, pool)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if err := lock(ctx, conn, stream, instance, patience); err != nil {
		closeSoon(conn)
		return nil, err
	}
	return conn, nil
}

func lock(ctx context.Context, conn *pgx.Conn, stream, instance string, patience time.Duration) error {
	key := leaseKey(stream, instance)
	give := time.Now().Add(patience)
	for {
		var taken bool
		if err := conn.QueryRow(ctx, tryLease, key).Scan(&taken); err != nil {
			return fmt.Errorf("lock the instance's name: %w", err)
		}
		if taken {
			return nil
		}
		if time.Now().After(give) {
			return holder(ctx, conn, stream, instance)
		}
		select {
		case <-time.After(leasePause):
		case <-ctx.Done():
			return errors.Join(lastlyHolder(context.WithoutCancel(ctx), conn, stream, instance), context.Cause(ctx))
		}
	}
}

// lastlyHolder is holder for a caller who has no time left.
func lastlyHolder(ctx context.Context, conn *pgx.Conn, stream, instance string) error {
	ctx, cancel := context.WithTimeout(ctx, closing)
	defer cancel()
	return holder(ctx, conn, stream, instance)
}

// holder returns who holds the lock, as an error.
func holder(ctx context.Context, conn *pgx.Conn, stream, instance string) error {
	held := &HeldError{Stream: stream, Instance: instance}
	err := conn.QueryRow(ctx, whoHolds, leaseKey(stream, instance)).Scan(&held.PID, &held.Application)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return errors.Join(held, fmt.Errorf("look who holds the lease: %w", err))
	}
	return held
}

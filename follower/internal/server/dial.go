// Package server opens the follower's connections and finds out which server
// it talks to.
package server

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tidemark-pg/tidemark/follower/internal/wal"
)

// Patience is how long a server may take for one of the short statements of a
// follower before its connection counts as lost: a cut cable says nothing.
const Patience = 5 * time.Second

// Dialer opens connections to one database.
type Dialer struct {
	config    *pgx.ConnConfig
	primaries primaries
}

// NewDialer reads a connection string as libpq does. Of several hosts the
// primary is picked, and of several primaries the one on the highest timeline
// that has been reached. The error never shows a password.
func NewDialer(database, applicationName string) (*Dialer, error) {
	d, err := newDialer(database, applicationName)
	if err != nil {
		return nil, err
	}
	if d.config.ValidateConnect == nil {
		d.config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	}
	d.config.ValidateConnect = d.newest(d.config.ValidateConnect)
	return d, nil
}

// NewStandbyDialer reads the connection string of a physical standby.
func NewStandbyDialer(database, applicationName string) (*Dialer, error) {
	return newDialer(database, applicationName)
}

func newDialer(database, applicationName string) (*Dialer, error) {
	config, err := pgx.ParseConfig(database)
	if err != nil {
		return nil, fmt.Errorf("read connection string: %w", err)
	}
	config.RuntimeParams = maps.Clone(config.RuntimeParams)
	if config.RuntimeParams["application_name"] == "" || applicationName != "" {
		config.RuntimeParams["application_name"] = applicationName
	}
	if config.ConnectTimeout == 0 || config.ConnectTimeout > Patience {
		config.ConnectTimeout = Patience
	}
	return &Dialer{config: config}, nil
}

// ApplicationName is what the server calls these connections.
func (d *Dialer) ApplicationName() string { return d.config.RuntimeParams["application_name"] }

// Address names the server and database, for messages. It holds no secret.
func (d *Dialer) Address() string {
	return fmt.Sprintf("%s:%d/%s", d.config.Host, d.config.Port, d.config.Database)
}

// SQL opens an ordinary session. A statement of it never waits for a lock
// longer than 100 ms (RULES 6), and reads sequences in one process, in order.
func (d *Dialer) SQL(ctx context.Context) (*pgx.Conn, Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*Patience)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, d.config.Copy())
	if err != nil {
		return nil, Identity{}, fmt.Errorf("connect to %s: %w", d.Address(), err)
	}
	id, err := prepare(ctx, conn)
	if err != nil {
		Close(conn)
		return nil, Identity{}, fmt.Errorf("connect to %s: %w", d.Address(), err)
	}
	return conn, id, nil
}

// Standby opens a session on a physical standby, and proves which history it
// replays: IDENTIFY_SYSTEM tells the timeline that it is on. RULES 13.
func (d *Dialer) Standby(ctx context.Context) (*pgx.Conn, Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*Patience)
	defer cancel()
	repl, err := d.Replication(ctx)
	if err != nil {
		return nil, Identity{}, err
	}
	defer CloseReplication(repl)
	identified, err := pglogrepl.IdentifySystem(ctx, repl)
	if err != nil {
		return nil, Identity{}, fmt.Errorf("identify %s: %w", d.Address(), err)
	}
	conn, err := pgx.ConnectConfig(ctx, d.config.Copy())
	if err != nil {
		return nil, Identity{}, fmt.Errorf("connect to %s: %w", d.Address(), err)
	}
	return conn, Identity{System: identified.SystemID, Timeline: identified.Timeline}, nil
}

// settings of every SQL session, in one statement: set_config takes effect for
// the session. TimeZone and DateStyle do not matter: times travel in binary.
const settings = `SELECT set_config('lock_timeout', '100ms', false),
	set_config('idle_in_transaction_session_timeout', '0', false),
	set_config('statement_timeout', '0', false),
	set_config('default_transaction_isolation', 'read committed', false),
	set_config('max_parallel_workers_per_gather', '0', false)`

func prepare(ctx context.Context, conn *pgx.Conn) (Identity, error) {
	if _, err := conn.Exec(ctx, settings); err != nil {
		return Identity{}, fmt.Errorf("prepare session: %w", err)
	}
	return identify(ctx, conn)
}

// noticed has the server notice within half a minute, and not after two hours,
// that whoever held a slot is gone without a word, and free it.
//
//tidemark:readonly
var noticed = map[string]string{"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}

// Replication opens a session that speaks the replication protocol.
func (d *Dialer) Replication(ctx context.Context) (*pgconn.PgConn, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*Patience)
	defer cancel()
	config := d.config.Config.Copy()
	config.RuntimeParams["replication"] = "database"
	for setting, value := range noticed {
		if _, set := config.RuntimeParams[setting]; !set {
			config.RuntimeParams[setting] = value
		}
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open replication connection to %s: %w", d.Address(), err)
	}
	return conn, nil
}

// Identity says which server, and which history of it, a session reached.
// Standbys that were promoted apart share System and Timeline; no two servers
// share the microsecond in which they started. RULES 3 and 11.
type Identity struct {
	System   string // system identifier, decimal
	Timeline int32
	Started  int64 // in microseconds since 1970; 0 where it was not asked
	Insert   pglogrepl.LSN
	PID      uint32 // of the backend
	Geometry wal.Geometry
}

// Same reports whether both sessions reached the same history.
func (i Identity) Same(other Identity) bool {
	return i.System == other.System && i.Timeline == other.Timeline
}

// SameServer reports whether both sessions reached one server that has not been
// restarted in between: nobody else can have written, or forgotten, anything.
func (i Identity) SameServer(other Identity) bool {
	return i.Same(other) && i.Started == other.Started
}

// Expect is the error of a session that reached another server than i.
func (i Identity) Expect(reached Identity) error {
	switch {
	case !i.Same(reached):
		return fmt.Errorf("reached system %s on timeline %d, while positions come from system %s on timeline %d",
			reached.System, reached.Timeline, i.System, i.Timeline)
	case !i.SameServer(reached):
		return fmt.Errorf("reached a server that started at %s, while positions come from one of the same timeline that started at %s: it has been restarted, or is another one",
			started(reached), started(i))
	}
	return nil
}

func started(i Identity) string {
	return time.UnixMicro(i.Started).UTC().Format("2006-01-02T15:04:05.000000Z")
}

// pg_control_checkpoint() lags behind a promotion until its first checkpoint,
// the name of the WAL file does not (RULES 3). pg_control_system() may be
// called by every role that can log in.
const identity = `SELECT s.system_identifier::text,
	('x' || substr(pg_walfile_name(w.lsn), 1, 8))::bit(32)::int4,
	(extract(epoch FROM pg_postmaster_start_time()) * 1000000)::int8,
	(w.lsn - '0/0'::pg_lsn)::int8,
	pg_backend_pid(),
	current_setting('wal_block_size')::int8,
	(SELECT setting::int8 FROM pg_settings WHERE name = 'wal_segment_size')
FROM pg_control_system() s, (SELECT pg_current_wal_insert_lsn() AS lsn) w`

func identify(ctx context.Context, conn *pgx.Conn) (Identity, error) {
	var id Identity
	var insert, block, segment int64
	var pid int32
	err := conn.QueryRow(ctx, identity).Scan(&id.System, &id.Timeline, &id.Started, &insert, &pid, &block, &segment)
	if err != nil {
		return Identity{}, fmt.Errorf("identify server: %w", err)
	}
	id.Insert = pglogrepl.LSN(insert)
	id.PID = uint32(pid)
	id.Geometry = wal.Geometry{Block: uint64(block), Segment: uint64(segment)}
	return id, nil
}

// IdentifyAgain asks an open session once more where it is.
func IdentifyAgain(ctx context.Context, conn *pgx.Conn) (Identity, error) {
	return identify(ctx, conn)
}

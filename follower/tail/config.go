package tail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

// Defaults of Config.
const (
	DefaultApplicationName = "tidemark tail"
	DefaultBatchRows       = 1000
)

// Positions tells how far the stream may be read. *follower.Stream is one; its
// Follower must be running, or Next waits.
type Positions interface {
	// CurrentToken returns the position, 0 while none is known.
	CurrentToken() int64
	// Epoch returns the history that the position belongs to, "" while unknown.
	Epoch() string
	// WaitFor blocks until the target is reached, and returns a
	// *follower.EpochError when the target's epoch is not current.
	WaitFor(ctx context.Context, t follower.Target) error
	// Status returns the position together with the LSN that covers it.
	Status() follower.Status
}

var _ Positions = (*follower.Stream)(nil)

// Config configures a Tail. New validates it and keeps a copy.
type Config struct {
	// Stream says which tables are read, and how. It must be the stream that
	// Positions is about.
	Stream follower.StreamConfig

	// Positions tells how far it may be read.
	Positions Positions

	// Database is the connection string of the primary, as libpq writes it. A
	// Tail keeps one connection, called DefaultApplicationName.
	Database string

	// Connect opens the connection in place of Database, for those who have
	// their own way. The Tail owns what it returns, changes its settings, and
	// closes it. It must not come from a pooler that shares sessions.
	Connect func(ctx context.Context) (*pgx.Conn, error)

	// After is the id beyond which to read: 0 is from the beginning. In a
	// descending stream it is 0 or negative, and what is below is read.
	After int64

	// Epoch is the one in which After was stored. Where it is not current any
	// more, Next fails at once. Empty: the epoch that Next finds first.
	Epoch string

	// Until, when set, is the last id to read: io.EOF comes after it.
	Until *int64

	// Limit is how many rows to read before io.EOF. Rows that share an id are
	// never separated, so a few more may come. 0 is no limit.
	Limit int64

	// BatchRows is how many rows a batch holds at most, but for those that
	// share its last id; 0 is DefaultBatchRows. Batches of large rows are
	// shorter: they end beyond 8 MiB.
	BatchRows int

	// Logger is told when the connection is lost and when it is back; nil
	// discards.
	Logger *slog.Logger
}

// withDefaults returns a copy of c with every default filled in.
func (c Config) withDefaults() Config {
	if c.BatchRows == 0 {
		c.BatchRows = DefaultBatchRows
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Stream.Tables = slices.Clone(c.Stream.Tables)
	for i := range c.Stream.Tables {
		t := &c.Stream.Tables[i]
		if t.Writer == "" {
			t.Writer = follower.DefaultWriter
		}
	}
	if c.Until != nil {
		until := *c.Until
		c.Until = &until
	}
	return c
}

// validate reports every problem of c at once.
func (c Config) validate() error {
	var problems []error
	wrong := func(is bool, format string, args ...any) {
		if is {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	wrong(c.Positions == nil, "no positions are given")
	wrong(c.Database == "" && c.Connect == nil, "neither a database nor a way to connect is given")
	wrong(len(c.Stream.Tables) == 0, "the stream has no table")
	wrong(c.Limit < 0, "limit %d is negative", c.Limit)
	wrong(c.BatchRows < 0, "batches of %d rows cannot be", c.BatchRows)
	wrong(!c.Stream.Descending && c.After < 0, "after %d: the ids of an ascending stream are positive", c.After)
	wrong(c.Stream.Descending && (c.After > 0 || c.After == math.MinInt64), "after %d: the ids of a descending stream are negative", c.After)
	return errors.Join(problems...)
}

// connector returns how connections are opened.
func (c Config) connector() (func(context.Context) (*pgx.Conn, error), error) {
	if c.Connect != nil {
		return c.Connect, nil
	}
	dialer, err := server.NewDialer(c.Database, DefaultApplicationName)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*pgx.Conn, error) {
		dialer.Survey(ctx) // of several primaries the newest has the rows
		conn, _, err := dialer.SQL(ctx)
		return conn, err
	}, nil
}

package allocator

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// NoPositionsTable, as Config.PositionsTable, says that the writers' positions
// are kept nowhere: nothing is registered or announced, and at Open a writer's
// position is its newest row. That is only right for writers that commit in
// the order of their ids, and says nothing of one that has written no row yet.
const NoPositionsTable = "-"

// MaxIDs is the greatest number of ids that one call may ask for.
const MaxIDs = 1_000_000

// Defaults of Config.
const (
	DefaultPositionsTable  = "stream_positions"
	DefaultIdleInterval    = time.Second
	DefaultHandleWarnAfter = time.Minute
)

// Table is one of a stream's tables.
type Table struct {
	// Name is the table's SQL name, quoted where SQL needs it: public.events.
	Name string
	// IDColumn is the exact name of the column that holds the id, no quotes.
	IDColumn string
	// InstanceColumn is the exact name of the column that holds the writer. It
	// is read only where there is no positions table; "" means that the rows
	// are of the writer "".
	InstanceColumn string
}

// Config says of which stream an allocator hands out ids, and who does.
type Config struct {
	// Stream is the stream's name, as in the positions table's stream_name.
	Stream string

	// Instance is this writer's name, as in instance_name. No two processes
	// may use one at a time: the second is refused (RULES 18).
	Instance string

	// Writers are all the writers that there can be; only those may allocate,
	// and rows of others are taken out of the positions table once nobody can
	// be writing under their names. One that has never registered counts as 0.
	// Leave it empty where anybody may write: then one's own position counts
	// only once it has come back (Apply, Refresh), see RULES 16.
	Writers []string

	// Sequence is the SQL name of the sequence that the ids come from. It must
	// have CACHE 1 and INCREMENT 1, must not CYCLE and be logged. Its values
	// are positive, for descending streams too.
	Sequence string

	// Tables hold the stream's rows.
	Tables []Table

	// PositionsTable is the SQL name of the table (stream_name text,
	// instance_name text, stream_id bigint) with a unique index on the first
	// two. "" means DefaultPositionsTable; see also NoPositionsTable.
	PositionsTable string

	// Descending streams hold ids -1, -2, …
	Descending bool

	// Bound promises that every id of this instance, in earlier lives too, is
	// drawn with NextTx or given to Handle.Bind before it is written. A start
	// then waits only for transactions that hold the sequence's lock, not for
	// every open one (RULES 18).
	Bound bool

	// IdleInterval is how often an idle writer looks how far the sequence has
	// gone and announces it, so that it does not hold the stream back. 0 means
	// DefaultIdleInterval.
	IdleInterval time.Duration

	// RefreshInterval is how often the positions table is read again (Refresh).
	// 0 means never: something else tells (Apply, Advance).
	RefreshInterval time.Duration

	// HandleWarnAfter is the age at which a handle that is not finished is
	// logged, once. 0 means DefaultHandleWarnAfter; negative means never.
	HandleWarnAfter time.Duration

	// Logger is told what happens in the background. nil means nobody.
	Logger *slog.Logger
}

// withDefaults returns a copy that shares nothing with c.
func (c Config) withDefaults() Config {
	c.Writers = slices.Clone(c.Writers)
	c.Tables = slices.Clone(c.Tables)
	if c.PositionsTable == "" {
		c.PositionsTable = DefaultPositionsTable
	}
	if c.IdleInterval == 0 {
		c.IdleInterval = DefaultIdleInterval
	}
	if c.HandleWarnAfter == 0 {
		c.HandleWarnAfter = DefaultHandleWarnAfter
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// validate names every problem of the configuration.
func (c Config) validate() error {
	var problems []error
	complain := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if c.Instance == "" {
		complain("no instance: a writer needs a name of its own")
	}
	if c.Sequence == "" {
		complain("no sequence")
	}
	for i, t := range c.Tables {
		if t.Name == "" || t.IDColumn == "" {
			complain("table %d (%q) needs a name and an id column", i+1, t.Name)
		}
	}
	if c.IdleInterval < 0 || c.RefreshInterval < 0 {
		complain("intervals must not be negative: idle %v, refresh %v", c.IdleInterval, c.RefreshInterval)
	}
	for _, text := range append([]string{c.Stream, c.Instance}, c.Writers...) {
		if strings.ContainsRune(text, 0) {
			complain("name %q holds a zero byte, which PostgreSQL cannot store", text)
		}
	}
	return errors.Join(problems...)
}

// writer reports whether this instance may allocate.
func (c Config) writer() bool {
	return len(c.Writers) == 0 || slices.Contains(c.Writers, c.Instance)
}

// keepsPositions reports whether there is a positions table.
func (c Config) keepsPositions() bool { return c.PositionsTable != NoPositionsTable }

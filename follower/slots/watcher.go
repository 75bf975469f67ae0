package slots

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

// Defaults of Config.
const (
	DefaultApplicationName = "tidemark slots"
	DefaultInterval        = 5 * time.Second
)

// ErrNoReport is what Report's error matches while there is nothing to report.
var ErrNoReport = errors.New("no report of the slots")

// Config configures a Watcher. New validates it and keeps a copy.
type Config struct {
	// Database is the connection string of the primary, as libpq writes it. A
	// Watcher keeps one connection, called DefaultApplicationName.
	Database string

	// Connect opens the connection in place of Database, for those who have
	// their own way. The Watcher owns what it returns, and closes it.
	Connect func(ctx context.Context) (*pgx.Conn, error)

	// Interval is the time between samples, each of which is one statement; 0
	// is DefaultInterval.
	Interval time.Duration

	// Thresholds are the limits of the verdicts; 0 is the default of each.
	Thresholds Thresholds

	// SampledFunc, when set, is called after each sample, from the goroutine of
	// Run, which waits for it. It may use conn until it returns. An error is
	// treated like one of the sample, which counts all the same.
	SampledFunc func(ctx context.Context, conn *pgx.Conn, r Report) error

	// Logger is told when slots have not been seen for a while, and when they
	// are seen again; nil discards.
	Logger *slog.Logger
}

// Watcher judges the slots of a server again and again.
type Watcher struct {
	cfg     Config
	history History

	mu struct {
		sync.Mutex
		report  Report
		sampled time.Time // when; zero before the first
		problem error     // of the last attempt
	}
}

// New returns a Watcher that Run starts, or an error about cfg.
func New(cfg Config) (*Watcher, error) {
	if cfg.Interval < 0 {
		return nil, fmt.Errorf("configure slots: an interval of %s cannot be", cfg.Interval)
	}
	cfg.Interval = cmp.Or(cfg.Interval, DefaultInterval)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Connect == nil {
		dialer, err := server.NewDialer(cfg.Database, DefaultApplicationName)
		if err != nil {
			return nil, fmt.Errorf("configure slots: %w", err)
		}
		cfg.Connect = func(ctx context.Context) (*pgx.Conn, error) {
			conn, _, err := dialer.SQL(ctx)
			return conn, err
		}
	}
	w := &Watcher{cfg: cfg, history: History{Thresholds: cfg.Thresholds}}
	w.mu.problem = errors.New("they have not been looked at yet")
	return w, nil
}

// Report returns what was found last. Any goroutine may call it; Slots is the
// caller's, what it points to is shared and must not be changed. The error
// matches ErrNoReport while nothing has been found yet, or not for so long that
// it says nothing any more (six intervals), and tells why.
func (w *Watcher) Report() (Report, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.staleLocked() {
		return Report{}, fmt.Errorf("%w: %w", ErrNoReport, w.mu.problem)
	}
	r := w.mu.report
	r.Slots = slices.Clone(r.Slots)
	return r, nil
}

// patience is how long what was found last stands.
func (w *Watcher) patience() time.Duration { return 6 * w.cfg.Interval }

func (w *Watcher) staleLocked() bool {
	return w.mu.sampled.IsZero() || w.mu.problem != nil && time.Since(w.mu.sampled) > w.patience()
}

// Run takes samples until ctx ends, and reconnects as needed. It must be called
// at most once. Nothing that the server says ends it.
func (w *Watcher) Run(ctx context.Context) {
	var conn *pgx.Conn
	defer func() { disconnect(conn) }()
	outage := outage{patience: w.patience(), log: w.cfg.Logger, begun: time.Now()}
	ticks := time.NewTicker(w.cfg.Interval)
	defer ticks.Stop()
	for {
		var err error
		conn, err = w.sample(ctx, conn)
		if ctx.Err() != nil {
			return
		}
		w.mu.Lock()
		w.mu.problem = err
		w.mu.Unlock()
		outage.tell(ctx, time.Now(), err)
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

// sample takes one sample, and returns the connection to go on with.
func (w *Watcher) sample(ctx context.Context, conn *pgx.Conn) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*server.Patience)
	defer cancel()
	if conn == nil || conn.IsClosed() {
		fresh, err := w.cfg.Connect(ctx)
		if err != nil {
			return nil, err
		}
		conn = fresh
	}
	s, err := Inspect(ctx, conn)
	if err != nil {
		disconnect(conn)
		return nil, err
	}
	now := time.Now()
	r := w.history.Add(now, s)
	w.mu.Lock()
	w.mu.report, w.mu.sampled = r, now
	w.mu.Unlock()
	if w.cfg.SampledFunc != nil {
		return conn, w.cfg.SampledFunc(ctx, conn, r)
	}
	return conn, nil
}

func disconnect(conn *pgx.Conn) {
	if conn != nil {
		server.Close(conn)
	}
}

// outage tells of failures that last, once, and when they are over.
type outage struct {
	patience time.Duration
	log      *slog.Logger
	begun    time.Time // zero: none
	told     bool
}

func (o *outage) tell(ctx context.Context, now time.Time, err error) {
	switch {
	case err == nil && o.told:
		o.log.InfoContext(ctx, "slots are watched again")
		fallthrough
	case err == nil:
		o.begun, o.told = time.Time{}, false
	case o.begun.IsZero():
		o.begun = now
	case !o.told && now.Sub(o.begun) > o.patience:
		o.told = true
		o.log.WarnContext(ctx, "slots are not watched; trying again", "error", server.OneLine(err))
	}
}

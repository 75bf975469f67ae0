package tail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

// Tail reads one stream. It belongs to one goroutine at a time.
type Tail struct {
	cfg     Config
	connect func(context.Context) (*pgx.Conn, error)

	epoch    string // "" until the first position is known
	position int64  // all that is there up to it has been delivered
	taken    int64  // rows delivered

	session *session // nil while there is none
	rows    int64    // of the next page
	// doubted tells that the last answer was about a name, and that the
	// catalog has not been asked again with success since.
	doubted bool
	back    *backoff.ExponentialBackOff
	lost    bool // the loss of the connection was logged
}

// New checks the configuration and returns a Tail that connects when it is
// first read. The error lists everything that is wrong.
func New(cfg Config) (*Tail, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("configure tail of stream %q: %w", cfg.Stream.Name, err)
	}
	connect, err := cfg.connector()
	if err != nil {
		return nil, fmt.Errorf("configure tail of stream %q: %w", cfg.Stream.Name, err)
	}
	back := backoff.NewExponentialBackOff()
	back.InitialInterval, back.MaxInterval = 50*time.Millisecond, 2*time.Second
	return &Tail{
		cfg: cfg, connect: connect, epoch: cfg.Epoch, position: cfg.After,
		rows: int64(cfg.BatchRows), back: back,
	}, nil
}

// Position is the one to store: all that is there up to it has been delivered.
func (t *Tail) Position() int64 { return t.position }

// Close closes the connection. Next opens another.
func (t *Tail) Close(ctx context.Context) {
	if t.session != nil {
		t.session.close(ctx)
		t.session = nil
	}
}

// Run gives handle one batch after the other. It returns nil at the end that
// Until or Limit set, and otherwise the error of handle, of ctx, or of Next,
// whichever comes first. The connection is closed when it returns.
func (t *Tail) Run(ctx context.Context, handle func(context.Context, Batch) error) error {
	defer t.Close(ctx)
	for {
		b, err := t.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := handle(ctx, b); err != nil {
			return err
		}
	}
}

// Next returns the next batch as soon as there is one. It returns io.EOF where
// Until or Limit has been reached, the error of ctx when that ends first, an
// error that is a *follower.EpochError when the epoch has changed, and one that
// is a *follower.RequirementError when something is missing in the database.
func (t *Tail) Next(ctx context.Context) (Batch, error) {
	for !t.ended() {
		upTo, err := t.settled(ctx)
		if err != nil {
			return Batch{}, t.end(ctx, err)
		}
		p, err := t.page(ctx, upTo)
		if err != nil {
			if err := t.failed(ctx, err); err != nil {
				return Batch{}, t.end(ctx, err)
			}
			continue
		}
		if b := t.advance(p, upTo); len(b.Rows) > 0 {
			return b, nil
		}
	}
	return Batch{}, io.EOF
}

// ended reports whether Until or Limit has been reached.
func (t *Tail) ended() bool {
	if t.cfg.Limit > 0 && t.taken >= t.cfg.Limit {
		return true
	}
	return t.cfg.Until != nil && !t.beyond(*t.cfg.Until, t.position)
}

// beyond reports whether a comes after b in the stream.
func (t *Tail) beyond(a, b int64) bool {
	if t.cfg.Stream.Descending {
		return a < b
	}
	return a > b
}

// settled waits until there may be something to read, and returns how far.
func (t *Tail) settled(ctx context.Context) (int64, error) {
	positions := t.cfg.Positions
	for {
		target := follower.Target{Epoch: t.epoch} // the position is known
		if t.epoch != "" {
			target.Position = t.following(t.position)
		}
		if err := positions.WaitFor(ctx, target); err != nil {
			return 0, err
		}
		// A position belongs to the epoch that is current after it was read,
		// for no epoch comes back.
		p, epoch := positions.CurrentToken(), positions.Epoch()
		switch {
		case t.epoch == "":
			t.epoch = epoch
		case t.epoch == epoch && t.beyond(p, t.position):
			return t.within(p), nil
		}
	}
}

// following is the first id after one.
func (t *Tail) following(id int64) int64 {
	switch {
	case t.cfg.Stream.Descending:
		return id - 1
	case id == math.MaxInt64:
		return id
	}
	return id + 1
}

// within keeps to Until.
func (t *Tail) within(p int64) int64 {
	if t.cfg.Until != nil && t.beyond(p, *t.cfg.Until) {
		return *t.cfg.Until
	}
	return p
}

// page reads the next page, over a new session where there is none.
func (t *Tail) page(ctx context.Context, upTo int64) (page, error) {
	if t.session == nil {
		s, err := t.open(ctx)
		if err != nil {
			return page{}, err
		}
		t.session = s
	}
	n := t.rows
	if t.cfg.Limit > 0 {
		n = min(n, t.cfg.Limit-t.taken)
	}
	p, err := t.session.read(ctx, t.position, upTo, n)
	if err != nil {
		return page{}, err
	}
	return p, t.same(ctx)
}

// same makes sure, after the page was read, that the epoch is the one that it
// was read for.
func (t *Tail) same(ctx context.Context) error {
	if t.cfg.Positions.Epoch() == t.epoch {
		return nil
	}
	return t.cfg.Positions.WaitFor(ctx, follower.Target{Position: t.position, Epoch: t.epoch})
}

// advance takes a page as delivered.
func (t *Tail) advance(p page, upTo int64) Batch {
	t.doubted = false
	t.back.Reset()
	if t.lost {
		t.lost = false
		t.cfg.Logger.Info("reading again", "stream", t.cfg.Stream.Name, "position", t.position)
	}
	t.taken += int64(len(p.rows))
	t.position = upTo
	if p.full {
		t.position = p.rows[len(p.rows)-1].ID
	}
	// The next page is to end where this one would have become too large.
	t.rows = min(t.rows*2, int64(t.cfg.BatchRows))
	if p.cut {
		t.rows = int64(len(p.rows))
	}
	return Batch{Rows: t.named(p), Position: t.position, Epoch: t.epoch}
}

// failed decides about an error of a page: nil means that it is to be read
// again.
func (t *Tail) failed(ctx context.Context, err error) error {
	t.Close(ctx)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errStartedOver):
		return t.startedOver(ctx)
	case aboutNames(err) && !t.doubted:
		t.doubted = true // a new session asks the catalog, which says it better
		return nil
	case !passes(err):
		return err
	}
	if !t.lost {
		t.lost = true
		t.cfg.Logger.Warn("reading was interrupted; trying again", "stream", t.cfg.Stream.Name, "reason", server.OneLine(err))
	}
	select {
	case <-time.After(t.back.NextBackOff()):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// startedOver waits for the new epoch, which whoever tells positions learns in
// his own time.
func (t *Tail) startedOver(ctx context.Context) error {
	last := int64(math.MaxInt64)
	if t.cfg.Stream.Descending {
		last = -last
	}
	ctx, cancel := context.WithTimeout(ctx, 6*server.Patience)
	defer cancel()
	err := t.cfg.Positions.WaitFor(ctx, follower.Target{Position: last, Epoch: t.epoch})
	var epoch *follower.EpochError
	if errors.As(err, &epoch) {
		return epoch
	}
	return &follower.EpochError{Stream: t.cfg.Stream.Name, Want: t.epoch}
}

// end is the error that Next returns.
func (t *Tail) end(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return t.explain(err)
}

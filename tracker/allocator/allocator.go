package allocator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-pg/tidemark/tracker"
	"github.com/tidemark-pg/tidemark/tracker/allocator/internal/ledger"
)

// Allocator hands out the ids of one stream to one instance, announces which
// of them are done, and knows the stream's position as far as it is told of
// the other writers. Its methods are safe for concurrent use. Open makes one.
type Allocator struct {
	cfg     Config
	db      *database
	lease   *lease // not used where the instance is no writer
	tracker *tracker.Tracker
	log     *slog.Logger
	book    book

	requests []*request // waiting for ids; under the book's lock
	drawing  bool       // drawAll runs; under the book's lock

	loader  loader
	purge   *purge        // rows of unlisted writers that are to go; the loop's
	poke    chan struct{} // holds one: the loop has something to do
	life    context.Context
	end     context.CancelCauseFunc
	closing sync.Once
	looping chan struct{} // closed when the loop has ended

	background sync.WaitGroup // drawAll, and what Bind asks; begun under the book's lock, and not after a failure
}

var (
	_ tracker.Positions  = (*Allocator)(nil)
	_ tracker.Allocation = (*Allocator)(nil)
)

// Open makes an allocator over the pool, whose connections must reach the
// primary itself. It checks the sequence (see the package documentation), takes
// the instance's name, registers it, and loads the stream's state; the context
// bounds that alone. One connection beside the pool stays open until Close.
//
// An instance that is none of Config.Writers is a reader: it takes no name, and
// its Next fails.
//
// Errors: *HeldError when another process has the name; *BehindError when the
// sequence is behind a stored position; what is wrong with the configuration,
// the sequence or the tables.
func Open(ctx context.Context, pool *pgxpool.Pool, cfg Config) (*Allocator, error) {
	a, err := open(ctx, pool, cfg.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("open allocator for stream %q as %q: %w", cfg.Stream, cfg.Instance, err)
	}
	return a, nil
}

func open(ctx context.Context, pool *pgxpool.Pool, cfg Config) (*Allocator, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	t, err := tracker.New(tracker.Config{Stream: cfg.Stream, Descending: cfg.Descending, Writers: cfg.Writers})
	if err != nil {
		return nil, err
	}
	db, err := openDatabase(ctx, pool, cfg)
	if err != nil {
		return nil, err
	}
	if err := db.checkSequence(ctx, cfg.Logger); err != nil {
		return nil, err
	}
	a := &Allocator{
		cfg: cfg, db: db, tracker: t, poke: make(chan struct{}, 1), looping: make(chan struct{}),
		log: cfg.Logger.With("stream", cfg.Stream, "instance", cfg.Instance),
	}
	a.book = book{cfg: cfg, writer: ledger.NewWriter(len(cfg.Writers) > 0), entries: make(map[*entry]struct{}), told: a.tell}
	a.lease = newLease(pool, cfg.Stream, cfg.Instance, a.begin)
	a.life, a.end = context.WithCancelCause(context.Background())
	if err := a.start(ctx); err != nil {
		a.end(ErrClosed)
		a.lease.drop()
		a.purge.close()
		return nil, err
	}
	go a.loop()
	return a, nil
}

// start takes the name, announces what can be announced at once, and loads.
func (a *Allocator) start(ctx context.Context) error {
	if a.cfg.writer() {
		if err := a.lease.use(ctx, nothing); err != nil {
			return err
		}
		if err := a.announce(ctx); err != nil {
			return err
		}
	}
	if err := a.beginPurge(ctx); err != nil {
		return err
	}
	return a.Refresh(ctx)
}

// tell hands on to the tracker what the ledger concluded. RULES 16.
func (a *Allocator) tell(c ledger.Conclusion) {
	a.tracker.Apply(c.Events(a.cfg.Instance, len(a.cfg.Writers) > 0, a.cfg.outward))
}

// wake makes the loop look what there is to do.
func (a *Allocator) wake() {
	select {
	case a.poke <- struct{}{}:
	default:
	}
}

// fail stops the allocator for good.
func (a *Allocator) fail(cause error) {
	a.book.mu.Lock()
	first := a.book.failure == nil
	if first {
		a.book.failure = cause
	}
	a.book.mu.Unlock()
	if first && !errors.Is(cause, ErrClosed) {
		a.log.Error("allocator stopped", "err", cause)
		a.tracker.Close(cause)
	}
}

// failed returns why the allocator has stopped, nil while it has not.
func (a *Allocator) failed() error {
	a.book.mu.Lock()
	defer a.book.mu.Unlock()
	return a.book.failure
}

// Close stops the allocator: no more ids; what is done is announced, and the
// name given back. The context bounds the wait for the database. The error says
// what could not be announced, and which handles are open: their ids keep the
// stored position where it is. End the writes before closing: a process that
// takes the name afterwards cannot see a write that has not begun. Only the
// first call does anything.
func (a *Allocator) Close(ctx context.Context) error {
	var err error
	a.closing.Do(func() { err = a.close(ctx) })
	return err
}

func (a *Allocator) close(ctx context.Context) error {
	stopped := a.failed()
	a.fail(ErrClosed)
	a.end(ErrClosed)
	<-a.looping
	a.background.Wait()
	var problems []error
	if stopped == nil && a.cfg.writer() {
		problems = append(problems, a.lastWords(ctx))
	}
	for _, h := range a.Open() {
		problems = append(problems, fmt.Errorf("ids %v are open since %v, drawn by %s", h.IDs, h.Age.Round(time.Millisecond), h.Caller))
	}
	a.lease.close()
	a.purge.close()
	a.tracker.Close(ErrClosed)
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("close allocator for stream %q as %q: %w", a.cfg.Stream, a.cfg.Instance, err)
	}
	return nil
}

// lastWords settles and announces what is done.
func (a *Allocator) lastWords(ctx context.Context) error {
	if _, _, err := a.resolveTransactions(ctx); err != nil {
		return err
	}
	if _, err := a.resolveDoubts(ctx); err != nil {
		return err
	}
	if _, err := a.flush(ctx, true); err != nil {
		return err
	}
	return a.announce(ctx)
}

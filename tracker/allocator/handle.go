package allocator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Handle is the promise to say what became of some ids. Finish it, once the
// write has ended; until then no position passes the ids. Its methods are safe
// for concurrent use.
type Handle struct {
	a     *Allocator
	entry *entry
	ids   []int64
}

// IDs returns the ids, in the order in which they were drawn: ascending, or
// descending where the stream is. They need not follow each other. The slice
// is the caller's.
func (h *Handle) IDs() []int64 { return slices.Clone(h.ids) }

// Next draws one id, ahead of the transaction that will write it. The handle
// must be finished. Any goroutine may call it at any time; callers at the same
// moment share a round trip.
//
// It fails if the instance is none of Config.Writers, if another process holds
// its name (*HeldError), if ctx ends first, and when the allocator has stopped
// (ErrClosed, ErrWentBack, ErrHistory, ErrUsurped).
func (a *Allocator) Next(ctx context.Context) (*Handle, error) { return a.next(ctx, 1, callerOf()) }

// NextN is Next for n ids under one handle, 1 <= n <= MaxIDs.
func (a *Allocator) NextN(ctx context.Context, n int) (*Handle, error) {
	return a.next(ctx, n, callerOf())
}

func (a *Allocator) next(ctx context.Context, n int, caller uintptr) (*Handle, error) {
	if err := a.mayDraw(n); err != nil {
		return nil, err
	}
	e, err := a.allocate(ctx, n, caller)
	if err != nil {
		return nil, err
	}
	return a.handle(e), nil
}

func (a *Allocator) handle(e *entry) *Handle {
	ids := make([]int64, len(e.ids))
	for i, id := range e.ids {
		ids[i] = a.cfg.outward(id)
	}
	return &Handle{a: a, entry: e, ids: ids}
}

// With draws n ids, calls write with them, and finishes them as write returns.
// write must have ended its transaction when it returns, and returns the error
// that it met as it is or wrapped with %w: whether the outcome of a commit is
// known is read from it (see Finish). What write returns, With returns.
func (a *Allocator) With(ctx context.Context, n int, write func(ctx context.Context, ids []int64) error) error {
	h, err := a.next(ctx, n, callerOf())
	if err != nil {
		return err
	}
	ended := errUnknown // what a panic leaves behind
	// Why the allocator has stopped, if it has, is no error of this write.
	defer func() { _ = h.Finish(ctx, ended) }()
	ended = write(ctx, h.IDs())
	return ended
}

var errUnknown = errors.New("the write did not return")

// Finish says that the write of the ids has ended: committed where err is nil,
// failed otherwise. It does no I/O and does not wait: the ids are done, and the
// position announced, a little later in the background. Only the first call
// counts, so it may be deferred. It returns the error for which the allocator
// has stopped, if it has.
//
// An err that leaves open whether the write was committed (a connection lost,
// a context that ended, a session that was terminated) does not end the ids:
// they stay open until every transaction has ended that was open afterwards,
// or, for a handle with a transaction, until the database says what became of
// it (RULES 19). So pass the error as it came, or wrapped with %w.
//
// Write in a transaction whose BEGIN has been answered, or with Bind: a single
// statement outside of one is no open transaction until the server begins it, and
// where its connection was lost on the way, that can be after everything that was
// open has ended. And write ids again after such an error only in transactions
// that are bound, each of them: the first may still commit.
func (h *Handle) Finish(_ context.Context, err error) error {
	b := &h.a.book
	now := time.Now()
	b.mu.Lock()
	if _, open := b.entries[h.entry]; open {
		b.finishes++
		switch {
		case len(h.entry.xids) > 0:
			h.entry.ended = true
		case doubtful(err):
			b.doubtLocked(h.entry)
		default:
			b.finishLocked(h.entry, now)
		}
	}
	failure := b.failure
	b.conclude()
	h.a.wake()
	return failure
}

// doubtful reports whether an error leaves open if the write was committed. An
// error that the server sent without ending the session rolled it back.
func doubtful(err error) bool {
	var (
		pg    *pgconn.PgError
		netw  net.Error
		errno syscall.Errno
	)
	switch {
	case err == nil, pgconn.SafeToRetry(err), errors.Is(err, pgx.ErrTxCommitRollback):
		return false
	case errors.As(err, &pg):
		return pg.SeverityUnlocalized != "ERROR"
	}
	return errors.Is(err, errUnknown) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.As(err, &netw) || errors.As(err, &errno)
}

// OpenHandle is an allocation that is not finished.
type OpenHandle struct {
	// IDs are its ids.
	IDs []int64
	// Age is the time since they were drawn.
	Age time.Duration
	// Caller is the function that drew them, and where it did.
	Caller string
	// Transactions are those that may write the ids, where they are known.
	Transactions []string
	// Finished reports that Finish was called, and the database is to confirm.
	Finished bool
}

// Open returns what is not finished, the oldest first: what keeps this
// instance's position where it is. A handle that was lost stays here, because
// its transaction may still commit.
func (a *Allocator) Open() []OpenHandle {
	now := time.Now()
	a.book.mu.Lock()
	open := make([]OpenHandle, 0, len(a.book.entries))
	for e := range a.book.entries {
		open = append(open, a.describe(e, now))
	}
	for _, d := range a.book.doubts {
		for _, e := range d.entries {
			o := a.describe(e, now)
			o.Finished = true
			open = append(open, o)
		}
	}
	a.book.mu.Unlock()
	slices.SortFunc(open, func(x, y OpenHandle) int { return int(y.Age - x.Age) })
	return open
}

func (a *Allocator) describe(e *entry, now time.Time) OpenHandle {
	o := OpenHandle{Age: now.Sub(e.born), Caller: placeOf(e.caller), Finished: e.ended}
	for _, id := range e.ids {
		o.IDs = append(o.IDs, a.cfg.outward(id))
	}
	for _, x := range e.xids {
		o.Transactions = append(o.Transactions, x.String())
	}
	return o
}

func placeOf(pc uintptr) string {
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	return fmt.Sprintf("%s (%s:%d)", frame.Function, frame.File, frame.Line)
}

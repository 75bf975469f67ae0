package follower

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidemark-pg/tidemark/follower/internal/audience"
	"github.com/tidemark-pg/tidemark/tracker"
)

// Stream is a stream that is being followed. Its methods may be called from
// any goroutine, before, during and after Run. It satisfies tracker.Positions.
//
// Until the first position is known, CurrentToken is 0 and waits go on.
type Stream struct {
	name      string
	cfg       StreamConfig
	log       *slog.Logger
	published func(stream string, delay time.Duration)

	life     atomic.Pointer[life]
	audience *audience.Audience

	rows  atomic.Uint64
	moves atomic.Uint64
	late  atomic.Uint64
	// restarts counts how often the ids of one sequence have started over.
	restarts atomic.Uint64
	// nonce is a part of the epoch that is kept with the published position;
	// agreed is the one that the table was last known to hold.
	nonce, agreed atomic.Pointer[string]
	// agreeing is held by who asks the table for the nonce, until both are set.
	agreeing sync.Mutex
	// listing is what is known of the stream's row in that table.
	listing atomic.Int32
	// disowned: the table of kept positions holds another epoch than ours.
	disowned atomic.Bool

	mu struct {
		sync.Mutex
		condition
		state  State
		reason string
	}
}

var _ tracker.Positions = (*Stream)(nil)

func newStream(cfg StreamConfig, of Config) (*Stream, error) {
	s := &Stream{
		name: cfg.Name, cfg: cfg, published: of.PublishedFunc,
		log: of.Logger.With("stream", cfg.Name),
	}
	l, err := newLife(s, "", -1)
	if err != nil {
		return nil, err
	}
	s.life.Store(l)
	s.mu.state = StateStarting
	s.audience = audience.New(l.tracker)
	return s, nil
}

// Name of the stream.
func (s *Stream) Name() string { return s.name }

// CurrentToken returns the position P; 0 while none is known. It is cheap and
// takes no lock.
func (s *Stream) CurrentToken() int64 { return s.life.Load().tracker.CurrentToken() }

// CurrentTokenForWriter returns how far that writer's rows are complete.
func (s *Stream) CurrentTokenForWriter(writer string) int64 {
	return s.life.Load().tracker.CurrentTokenForWriter(writer)
}

// Positions returns the newest id of each writer at or below the position
// (transaction), or its announced position.
func (s *Stream) Positions() map[string]int64 { return s.life.Load().tracker.Positions() }

// Token returns the position together with the writers that are ahead of it:
// something to store for a client and to compare later, within one epoch.
func (s *Stream) Token() tracker.Token { return s.life.Load().tracker.Token() }

// Epoch returns the history that positions belong to now; "" while unknown.
func (s *Stream) Epoch() string { return s.life.Load().epoch }

// Wait blocks until the position covers the given one, in this epoch or a
// later one, or ctx ends.
func (s *Stream) Wait(ctx context.Context, position int64) error {
	return s.WaitFor(ctx, Target{Position: position})
}

// WaitWriter blocks until the position, or that writer's, covers the given one.
func (s *Stream) WaitWriter(ctx context.Context, writer string, position int64) error {
	return s.WaitFor(ctx, Target{Position: position, Writer: writer, ByWriter: true})
}

// WaitFor blocks until the target is reached. It returns the error of ctx when
// that ends first, and an *EpochError as soon as the target's epoch is not, or
// no longer, the stream's.
func (s *Stream) WaitFor(ctx context.Context, t Target) error {
	for {
		l := s.life.Load()
		if t.Epoch != "" && l.epoch != "" && l.epoch != t.Epoch {
			return &EpochError{Stream: s.name, Want: t.Epoch, Have: l.epoch}
		}
		if err := l.wait(ctx, t); !errors.Is(err, errLifeOver) {
			return err
		}
		// The life is over; the next one is there before its end is told.
	}
}

// wait waits in one life; any error but that of ctx means that it is over.
func (l *life) wait(ctx context.Context, t Target) error {
	if !l.isKnown() { // what is reached already is told even where ctx has ended
		select {
		case <-l.known:
		case <-l.over:
			return errLifeOver
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if t.ByWriter {
		return l.tracker.WaitWriter(ctx, t.Writer, t.Position)
	}
	return l.tracker.Wait(ctx, t.Position)
}

// Subscribe has every move told to tell, conflated: a slow subscriber gets the
// newest. tell is called from the follower's goroutines and must not block;
// it goes on to be called across epochs.
func (s *Stream) Subscribe(tell func(tracker.Move)) (cancel func()) {
	return s.audience.Subscribe(tell)
}

// Watch has fn called after anything in Status has changed but the times at
// which it was checked. fn is called from the follower's goroutines, may be
// called more often than needed, and must not block.
func (s *Stream) Watch(fn func()) (cancel func()) { return s.audience.Watch(fn) }

// tell calls the watchers.
func (s *Stream) tell() { s.audience.Tell() }

// Status returns everything known of the stream now.
func (s *Stream) Status() Status {
	l := s.life.Load()
	st := Status{Name: s.name, LateRows: s.late.Load(), Rows: s.rows.Load(), Moves: s.moves.Load()}
	s.mu.Lock()
	st.State, st.Reason = s.mu.state, s.mu.reason
	s.mu.Unlock()
	if l.isKnown() {
		// Read before the LSN: a position is never shown with too low a one.
		st.Known, st.Epoch, st.Position = true, l.epoch, l.tracker.CurrentToken()
		st.Writers = l.tracker.Positions()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.describe(&st)
	return st
}

// describe fills in what is kept under the lock. Where the position has moved
// and that has not been noted yet, it says what is about to be noted.
func (l *life) describe(st *Status) {
	p := l.of.inward(st.Position)
	st.LSN, st.MovedAt, st.CheckedAt = l.mu.lsn, l.mu.movedAt, l.mu.checkedAt
	if p > l.mu.position {
		st.MovedAt = l.mu.at
	}
	if l.mu.allocated >= 0 {
		st.AllocatedKnown, st.Allocated = true, l.of.outward(max(l.mu.allocated, p))
	}
	if l.mu.allocated > p {
		st.UnsettledSince, st.HeldBy = l.mu.unsettled, l.mu.heldBy
	}
}

// announced reports whether positions come from what writers announce.
func (s *Stream) announced() bool { return s.cfg.Allocation == AllocationAnnounced }

// outward turns an id counted away from zero into the stream's own.
func (s *Stream) outward(id int64) int64 {
	if s.cfg.Descending {
		return -id
	}
	return id
}

// inward is the reverse of outward.
func (s *Stream) inward(id int64) int64 { return s.outward(id) }

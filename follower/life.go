package follower

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pglogrepl"

	"github.com/tidemark-pg/tidemark/follower/internal/fence"
	"github.com/tidemark-pg/tidemark/follower/internal/gate"
	"github.com/tidemark-pg/tidemark/tracker"
)

// life is a stream in one epoch. When ids start over or the primary's history
// changes, the stream begins another; nothing of the old one is true in it.
// A loop keeps the life it began with, so that what it still finds out about an
// old epoch stays there.
type life struct {
	of      *Stream
	tracker *tracker.Tracker
	epoch   string
	// born is where the WAL stood when the ids started over, or when what is
	// kept was published: rows of commits up to there may bear ids that have
	// been drawn anew since, and say nothing.
	born pglogrepl.LSN
	// known is closed when the first fence is done: from then on the position
	// covers every position published before.
	known     chan struct{}
	knownOnce sync.Once
	// over is closed when the next life begins.
	over chan struct{}

	events []tracker.Event // of the gate's goroutine, between two batches
	xids   []uint32        // beside them

	// applying is held from deciding what a batch or a load means to the
	// writers of an announced stream until the tracker has it: else a
	// withdrawal could be applied over a registration that came between.
	applying sync.Mutex

	mu struct {
		sync.Mutex
		allocated int64 // away from zero; -1 while unknown
		// lsn: a server that has replayed it shows every row that P covers.
		lsn pglogrepl.LSN
		// flushed is the highest position known to be on disk when P was
		// published: a server that stands behind it has forgotten something.
		flushed pglogrepl.LSN
		// position is P when movedAt was noted; at is when what is being
		// applied began. A reader between the two finds P ahead of position.
		position   int64
		at         time.Time
		movedAt    time.Time
		checkedAt  time.Time
		unsettled  time.Time
		holders    []fence.Holder
		heldBy     []Holder
		audit      audit
		suspicion  suspicion
		unreported delays
		// floor: rows up to it were there before anybody followed the stream;
		// -1 while unknown.
		floor int64
		// writers are those of an announced stream that have a position, and
		// those that the slot has told have none any more.
		writers map[string]registration
		// loaded is the snapshot by which the positions were read; nil: not yet.
		loaded *gate.Snapshot
	}
}

// errLifeOver fails the waiters of a life that has ended.
var errLifeOver = errors.New("the epoch has ended")

// newLife begins a life that knows of no row. Writers are told of that have
// rows above floor; -1: above the first position.
func newLife(of *Stream, epoch string, floor int64) (*life, error) {
	t, err := tracker.New(tracker.Config{
		Stream: of.cfg.Name, Descending: of.cfg.Descending, Writers: of.cfg.Writers,
	})
	if err != nil {
		return nil, err
	}
	l := &life{of: of, tracker: t, epoch: epoch, known: make(chan struct{}), over: make(chan struct{})}
	l.mu.allocated, l.mu.floor = -1, floor
	l.mu.writers = make(map[string]registration)
	return l, nil
}

// isKnown reports whether the position means anything yet.
func (l *life) isKnown() bool {
	select {
	case <-l.known:
		return true
	default:
		return false
	}
}

// end fails every waiter of this life.
func (l *life) end() {
	close(l.over)
	l.tracker.Close(errLifeOver)
}

// whenOver calls then as soon as the life is over, unless ctx ends first.
func (l *life) whenOver(ctx context.Context, then func()) {
	select {
	case <-l.over:
		then()
	case <-ctx.Done():
	}
}

// isOver reports whether another life has begun.
func (l *life) isOver() bool {
	select {
	case <-l.over:
		return true
	default:
		return false
	}
}

// decoded is the id up to which every row has been decoded, or was there before
// the stream was followed, where the WAL up to lsn has been decoded; false while
// there is no position to begin from.
func (l *life) decoded(lsn pglogrepl.LSN) (id int64, some bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(l.mu.floor, l.mu.audit.below(lsn)), l.mu.floor >= 0
}

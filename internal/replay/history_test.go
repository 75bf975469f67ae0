package replay

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// workers is how many histories are replayed at a time, each on a database of
// its own.
const workers = 2

// tally is what a replay has seen.
type tally struct {
	mu                                  sync.Mutex
	histories, lines, states, differing int
	unsafe                              int // operations after which the reference is unsafe, and ours was not
	ahead                               int // how often a writer knew more of the sequence than it must
	claimed                             int // states in which the history's own claim passed an open id
}

// TestHistories replays the recorded histories on a real server: after every
// operation each generator must say what the model with the wanted changes says,
// and show no open id as done.
func TestHistories(t *testing.T) {
	chosen := histories(t)
	unsafe := unsafeLines(t)
	server := start(t)
	queue := make(chan history, len(chosen))
	for _, h := range chosen {
		queue <- h
	}
	close(queue)
	var sum tally
	began := time.Now()
	t.Run("replay", func(t *testing.T) {
		for i := range workers {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, server, fmt.Sprintf("histories%d", i))
				for h := range queue {
					if err := sum.replay(t.Context(), newSession(w), h, unsafe[h.name]); err != nil {
						t.Errorf("%s, %v", h.name, err)
					}
				}
			})
		}
	})
	known := 0
	for _, lines := range unsafe {
		known += len(lines)
	}
	if sum.unsafe != known {
		t.Errorf("%d of the %d operations after which the reference is unsafe were found safe", sum.unsafe, known)
	}
	t.Logf("%d histories, %d operations, %d states in %v: %d states are not the reference's; %d times a writer knew more of the sequence than it must; "+
		"%d states pass an open id because the history claimed it", sum.histories, sum.lines, sum.states, time.Since(began).Round(time.Millisecond),
		sum.differing, sum.ahead, sum.claimed)
}

// replay is one history on a fresh database.
func (sum *tally) replay(ctx context.Context, s *session, h history, unsafe []int) error {
	sum.add(func() { sum.histories++ })
	for i := range h.lines {
		l := &h.lines[i]
		if err := sum.line(ctx, s, l); err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
		if slices.Contains(unsafe, i+1) {
			sum.add(func() { sum.unsafe++ })
		}
	}
	sum.add(func() { sum.ahead += s.ahead })
	return nil
}

func (sum *tally) line(ctx context.Context, s *session, l *line) error {
	asked := map[string]map[string]int64{}
	for gen, recorded := range l.States {
		asked[gen] = recorded.Tokens
	}
	ids, refused, err := s.do(ctx, &l.Op, asked)
	if err != nil {
		return err
	}
	if refused == l.Result.OK || !slices.Equal(ids, l.Result.IDs) {
		return fmt.Errorf("%s: ids %v, refused %v; recorded ids %v, ok %v", l.Op.Op, ids, refused, l.Result.IDs, l.Result.OK)
	}
	if l.Op.Op == "max_allocated" {
		n, err := s.world.gens[l.Op.Gen].MaxAllocated(ctx)
		if err != nil || n != l.Result.Value {
			return fmt.Errorf("max allocated is %d (%w), recorded %d", n, err, l.Result.Value)
		}
	}
	sum.count(s, l)
	return nil
}

// count notes which states differ from what was recorded.
func (sum *tally) count(s *session, l *line) {
	sum.add(func() {
		sum.lines++
		for gen, recorded := range l.States {
			sum.states++
			ours := s.wanted.gens[gen].state(recorded.Tokens)
			if !ours.equal(recorded) {
				sum.differing++
			}
			if len(s.open.shown(gen, &ours, true)) > 0 {
				sum.claimed++
			}
		}
	})
}

func (sum *tally) add(f func()) {
	sum.mu.Lock()
	defer sum.mu.Unlock()
	f()
}

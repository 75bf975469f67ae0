package replay

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// session does operations to the real thing and to the models beside it, and
// compares them after each.
type session struct {
	world  *world
	wanted *model   // ours as it is meant to be
	open   *openIDs // what must not be shown as done
	done   []op
	late   map[int]bool // draws, by number, that did not come back flushed
}

func newSession(w *world) *session {
	return &session{world: w, wanted: newModel(all()), open: newOpenIDs(), late: map[int]bool{}}
}

// do does an operation, waits until the generators say what they are meant to,
// and returns the ids that it gave. asked are the writers whose tokens each
// generator is asked for. Its error says what is not as wanted; refused is an
// operation that both refuse.
func (s *session) do(ctx context.Context, o *op, asked map[string]map[string]int64) (ids []int64, refused bool, err error) {
	ids, failure := s.world.do(ctx, o)
	want, wantFailure := s.wanted.do(o)
	if (failure == nil) != (wantFailure == nil) {
		return ids, true, fmt.Errorf("%s: %v, want %v", o.Op, failure, wantFailure)
	}
	if !slices.Equal(ids, want) {
		return ids, false, fmt.Errorf("%s gave ids %v, want %v", o.Op, ids, want)
	}
	s.done = append(s.done, *o)
	s.open.after(o, ids)
	if o.Op == "reset" {
		s.done = nil
		clear(s.late)
	}
	return ids, failure != nil, s.compare(ctx, o, asked)
}

// compare waits for the wanted states, and for the wanted stored positions.
func (s *session) compare(ctx context.Context, o *op, asked map[string]map[string]int64) error {
	problem := await(func() string {
		p := s.differs(s.wanted, asked)
		if p != "" && strings.HasPrefix(o.Op, "get_next") {
			p = s.tryLate(p, asked)
		}
		return p
	})
	if problem == "" && slices.Contains([]string{"new", "finish", "txn_end", "stream_positions"}, o.Op) {
		problem = await(func() string { return s.storedDiffers(ctx) })
	}
	unsafe := s.unsafe(asked)
	if problem != "" || unsafe != "" {
		return fmt.Errorf("after %s: %s%s", o.Op, problem, unsafe)
	}
	return nil
}

// tryLate is for a draw whose nextval the generator does not know to be flushed
// yet (RULES 17): then it says less, until it hears.
func (s *session) tryLate(problem string, asked map[string]map[string]int64) string {
	s.late[len(s.done)-1] = true
	m := newModel(all())
	for i := range s.done {
		m.unflushed = s.late[i]
		_, _ = m.do(&s.done[i])
	}
	m.unflushed = false
	if s.differs(m, asked) != "" {
		delete(s.late, len(s.done)-1)
		return problem
	}
	s.wanted = m
	return ""
}

// differs says how the generators differ from a model.
func (s *session) differs(m *model, asked map[string]map[string]int64) string {
	for _, gen := range slices.Sorted(maps.Keys(s.world.gens)) {
		want := m.gens[gen].state(asked[gen])
		if got := s.world.state(gen, asked[gen]); !reflect.DeepEqual(got, want) {
			return fmt.Sprintf("%s says %+v, want %+v", gen, got, want)
		}
	}
	return ""
}

func (s *session) storedDiffers(ctx context.Context) string {
	stored, err := s.world.stored(ctx)
	if err != nil {
		return err.Error()
	}
	if !maps.Equal(stored, s.wanted.tables.positions) {
		return fmt.Sprintf("stored positions are %v, want %v", stored, s.wanted.tables.positions)
	}
	return ""
}

// unsafe says which open ids are shown as done.
func (s *session) unsafe(asked map[string]map[string]int64) string {
	for gen := range s.world.gens {
		state := s.world.state(gen, asked[gen])
		if shown := s.open.shown(gen, &state, false); len(shown) > 0 {
			return fmt.Sprintf(" UNSAFE: %s shows the open ids %v as done: %+v", gen, shown, state)
		}
	}
	return ""
}

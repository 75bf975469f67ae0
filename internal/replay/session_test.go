package replay

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// session does operations to the real thing and to the models beside it, and
// compares them after each.
type session struct {
	world  *world
	wanted *model   // ours as it is meant to be
	open   *openIDs // what must not be shown as done
	ahead  int      // how often a writer knew more of the sequence than it must
}

func newSession(w *world) *session {
	return &session{world: w, wanted: newModel(all()), open: newOpenIDs()}
}

// do does an operation, waits until the generators say what they are meant to,
// and returns the ids that it gave. asked are the writers whose tokens each
// generator is asked for. Its error says what is not as wanted; refused is an
// operation that both refuse.
func (s *session) do(ctx context.Context, o *op, asked map[string]map[string]int64) (ids []int64, refused bool, err error) {
	if o.Op == "new" {
		if err := s.replace(ctx, o.Name); err != nil {
			return nil, false, err
		}
	}
	ids, failure := s.world.do(ctx, o)
	if o.Op != "new" {
		s.follow() // who knew as much already need not look for more
	}
	want, wantFailure := s.wanted.do(o)
	if (failure == nil) != (wantFailure == nil) {
		return ids, true, fmt.Errorf("%s: %v, want %v", o.Op, failure, wantFailure)
	}
	if !slices.Equal(ids, want) {
		return ids, false, fmt.Errorf("%s gave ids %v, want %v", o.Op, ids, want)
	}
	s.open.after(o, ids)
	return ids, failure != nil, s.compare(ctx, o, asked)
}

// replace ends the generator of that name, whose last words the next may read.
func (s *session) replace(ctx context.Context, name string) error {
	s.world.end(ctx, name)
	if problem := await(func() string { return s.storedDiffers(ctx) }); problem != "" {
		return fmt.Errorf("after the end of %s: %s", name, problem)
	}
	return nil
}

// compare waits for the wanted states, and for the wanted stored positions.
func (s *session) compare(ctx context.Context, o *op, asked map[string]map[string]int64) error {
	problem := await(func() string {
		s.follow()
		return s.differs(s.wanted, asked)
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

func (s *session) follow() {
	for gen, a := range s.world.gens {
		g := s.wanted.gens[gen]
		if g.follow(a.CurrentTokenForWriter(g.instance), s.wanted.tables.drawn()) {
			s.ahead++
		}
		g.followStored(a.Positions()[g.instance])
	}
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

// storedDiffers compares the stored positions. A writer may have stored more than
// it must, up to what it announces.
func (s *session) storedDiffers(ctx context.Context) string {
	stored, err := s.world.stored(ctx)
	if err != nil {
		return err.Error()
	}
	s.follow()
	want := s.wanted.tables.positions
	for _, g := range s.wanted.gens {
		if at, ok := stored[g.instance]; ok && g.mayWrite() && at*g.sign > want[g.instance]*g.sign && at*g.sign <= g.l {
			want[g.instance] = at
		}
	}
	if !maps.Equal(stored, want) {
		return fmt.Sprintf("stored positions are %v, want %v", stored, want)
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

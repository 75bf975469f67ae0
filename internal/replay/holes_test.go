package replay

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
)

// hole plays one of the reference's holes to both: to the model of the reference,
// which must fall into it, and to ours on a real server, which must not.
type hole struct {
	t         *testing.T
	world     *world
	reference *model
	open      *openIDs
}

func newHole(t *testing.T, name string) *hole {
	return &hole{t: t, world: newWorld(t, start(t), name), reference: newModel(changes{}), open: newOpenIDs()}
}

func (h *hole) play(ops ...op) {
	h.t.Helper()
	for i := range ops {
		want, err := h.reference.do(&ops[i])
		if err != nil {
			h.t.Fatalf("%s, reference: %v", ops[i].Op, err)
		}
		ids, err := h.world.do(h.t.Context(), &ops[i])
		if err != nil || !slices.Equal(ids, want) {
			h.t.Fatalf("%s gave %v, %v; the reference %v", ops[i].Op, ids, err, want)
		}
		h.open.after(&ops[i], ids)
	}
}

// tell lets all know what the others have announced: ours by the positions table,
// the reference's by its own tokens.
func (h *hole) tell() {
	h.t.Helper()
	if _, err := h.reference.do(&op{Op: "replicate_all"}); err != nil {
		h.t.Fatal(err)
	}
	for name, a := range h.world.gens {
		if err := a.Refresh(h.t.Context()); err != nil {
			h.t.Fatalf("%s: %v", name, err)
		}
	}
}

// mustSplit fails unless the reference shows an open id as done, and ours none.
func (h *hole) mustSplit() {
	h.t.Helper()
	fell := false
	for _, name := range slices.Sorted(maps.Keys(h.world.gens)) {
		asked := map[string]int64{"a": 0, "b": 0}
		theirs, ours := h.reference.gens[name].state(asked), h.world.state(name, asked)
		fell = fell || len(h.open.shown(name, &theirs, true)) > 0
		if shown := h.open.shown(name, &ours, true); len(shown) > 0 {
			h.t.Errorf("%s shows the open ids %v as done: %+v", name, shown, ours)
		}
	}
	if !fell {
		h.t.Error("the reference does not fall into the hole: nothing was tried")
	}
}

// arrive waits until all are at a position, telling each other all the while.
func (h *hole) arrive(position int64) {
	h.t.Helper()
	if bad := await(func() string {
		h.tell()
		for name, a := range h.world.gens {
			if p := a.CurrentToken(); p != position {
				return fmt.Sprintf("%s is at %d, want %d", name, p, position)
			}
		}
		return ""
	}); bad != "" {
		h.t.Error(bad)
	}
}

func opening(instance string, writers ...string) op {
	return op{Op: "new", Name: instance, Instance: instance, Writers: writers}
}

// TestHoleH1 is the unregistered writer: b's first id is open, and whoever starts
// must not take the others' position for b's.
func TestHoleH1(t *testing.T) {
	h := newHole(t, "h1")
	h.play(
		op{Op: "reset"}, op{Op: "insert_rows", Instance: "a", N: 3},
		opening("a", "a", "b"), opening("b", "a", "b"),
		op{Op: "get_next", Gen: "b", Handle: "open"}, // 4
		op{Op: "get_next", Gen: "a", Handle: "done"}, // 5
		op{Op: "insert", Rows: [][2]any{{float64(5), "a"}}},
		op{Op: "finish", Handle: "done"},
		opening("reader", "a", "b"), opening("a", "a", "b"),
	)
	h.mustSplit()
	h.play(op{Op: "insert", Rows: [][2]any{{float64(4), "b"}}}, op{Op: "finish", Handle: "open"})
	h.arrive(5)
}

// TestHoleH1Purged: b's row is taken away while its id is open; b counts as 0
// until it has registered again, below what it has open.
func TestHoleH1Purged(t *testing.T) {
	h := newHole(t, "h1purged")
	h.play(
		op{Op: "reset"}, op{Op: "insert_rows", Instance: "a", N: 3},
		opening("a", "a", "b"), opening("b", "a", "b"),
		op{Op: "get_next", Gen: "b", Handle: "open"}, // 4
	)
	if _, err := h.world.pool.Exec(t.Context(), "DELETE FROM stream_positions WHERE instance_name = 'b'"); err != nil {
		t.Fatal(err)
	}
	h.play(
		op{Op: "get_next", Gen: "a", Handle: "done"}, // 5
		op{Op: "insert", Rows: [][2]any{{float64(5), "a"}}},
		op{Op: "finish", Handle: "done"},
		opening("reader", "a", "b"), opening("a", "a", "b"),
	)
	h.mustSplit()
	h.play(op{Op: "get_next", Gen: "b", Handle: "next"}) // 6: registers
	h.tell()
	h.mustSplit()
	h.play(
		op{Op: "insert", Rows: [][2]any{{float64(4), "b"}, {float64(6), "b"}}},
		op{Op: "finish", Handle: "open"}, op{Op: "finish", Handle: "next"},
	)
	h.arrive(6)
}

// TestHoleH2 is the restarted writer: the sequence is where a begins, and that is
// b's open id. As a position of a's it is true; as a done id it would lose b's row.
func TestHoleH2(t *testing.T) {
	h := newHole(t, "h2")
	h.play(
		op{Op: "reset"}, op{Op: "insert_rows", Instance: "a", N: 2}, op{Op: "insert_rows", Instance: "b", N: 1},
		opening("a", "a", "b"), opening("b", "a", "b"), opening("reader", "a", "b"),
	)
	h.tell()
	h.play(op{Op: "get_next", Gen: "b", Handle: "open"}, opening("a", "a", "b")) // 4
	h.tell()
	h.mustSplit()
	if at := h.announced(t.Context(), "a"); at != 4 {
		t.Errorf("a announces %d: the hole is at 4", at)
	}
	h.mustSee(3)
	h.play(op{Op: "insert", Rows: [][2]any{{float64(4), "b"}}}, op{Op: "finish", Handle: "open"})
	h.arrive(4)
}

func (h *hole) announced(ctx context.Context, writer string) int64 {
	stored, err := h.world.stored(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	return stored[writer]
}

// mustSee fails unless everybody is where the open id leaves them.
func (h *hole) mustSee(position int64) {
	h.t.Helper()
	for name, a := range h.world.gens {
		if p := a.CurrentToken(); p != position {
			h.t.Errorf("%s is at %d, want %d", name, p, position)
		}
	}
}

// TestIDOneIsOpen is the third: the first id of a sequence that was never called.
func TestIDOneIsOpen(t *testing.T) {
	h := newHole(t, "one")
	h.play(op{Op: "reset"}, opening("a", "a"), opening("reader", "a"), op{Op: "get_next", Gen: "a", Handle: "open"})
	h.mustSplit()
	h.play(op{Op: "insert", Rows: [][2]any{{float64(1), "a"}}}, op{Op: "finish", Handle: "open"})
	h.arrive(1)
}

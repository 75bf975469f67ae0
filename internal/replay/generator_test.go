package replay

import (
	"container/heap"
	"math"
	"slices"
)

// changes are what ours does otherwise than the reference, each for a reason
// that differences_test.go gives. Without any, a generator is the reference's.
type changes struct {
	fromZero        bool // a sequence that was never called has drawn nothing, not 1
	registers       bool // a start stores a row for its writer, and the position where it begins
	unseenIsZero    bool // a listed writer without a row counts as 0, not as the others' minimum
	startIsSequence bool // a writer begins where the sequence is, not at its newest row
	exact           bool // a writer's position reaches up to its lowest open id, and, idle, where the sequence is
	failuresToo     bool // a rolled-back write is announced like any other
	workersStay     bool // the row of a writer that is not listed is kept, and counts, while it is at work
}

// all are all of them: ours.
func all() changes {
	return changes{
		fromZero: true, registers: true, unseenIsZero: true, startIsSequence: true, exact: true, failuresToo: true, workersStay: true,
	}
}

// generator is the reference's state; the letters are those of its description.
type generator struct {
	changes
	instance string
	writers  []string
	sign     int64

	p       map[string]int64 // writers' positions
	u       map[int64]bool   // drawn, not finished
	d       []int64          // finished, above one that is not
	s, l, w int64            // highest seen, own announced, everything done
	k       idHeap           // believed done, above w

	known int64 // exact: the sequence has passed it, and the generator must know
	sure  int64 // exact: known for longer than a flush takes
	drawn int64 // exact: its own highest id: it need not know yet that this is flushed
}

func (g *generator) mayWrite() bool { return slices.Contains(g.writers, g.instance) }

// open is the reference's construction. Every generator of the data has a list
// of writers.
func (m *model) open(o *op) *generator {
	g := &generator{
		changes: m.changes, instance: o.Instance, writers: o.Writers, sign: o.sign(),
		p: map[string]int64{}, u: map[int64]bool{},
	}
	names := tableNames(o.Tables)
	m.tables.raise(names, g.sign)
	counting := slices.Clone(g.writers)
	for _, other := range m.gens {
		if m.changes.workersStay && other.mayWrite() {
			counting = append(counting, other.instance)
		}
	}
	m.tables.purge(counting)
	for _, w := range counting {
		if stored, ok := m.tables.positions[w]; ok {
			g.p[w] = stored * g.sign
		}
	}
	if g.mayWrite() {
		g.begin(m.tables)
	}
	g.load(m.tables, names)
	return g
}

// begin takes up a writer's own position.
func (g *generator) begin(t *tables) {
	at := t.last
	if g.fromZero {
		at = t.drawn()
	}
	g.p[g.instance], g.known, g.sure, g.l = at, at, at, at
	if g.registers {
		t.upsert(g.instance, at*g.sign, g.sign)
	}
}

// load reads the rows.
func (g *generator) load(t *tables, names []string) {
	base := int64(1)
	if g.fromZero {
		base = 0
	}
	if len(g.p) == 0 && !g.unseenIsZero {
		g.w = base
		for _, r := range t.beyond(names, 1, g.sign) {
			g.w = max(g.w, r.id*g.sign)
		}
	} else {
		g.readRows(t.beyond(names, 0, g.sign))
	}
	for _, w := range g.writers {
		if _, ok := g.p[w]; !ok && !g.unseenIsZero {
			g.p[w] = g.w
		}
	}
	g.s = max(base, g.w)
	for _, at := range g.p {
		g.s = max(g.s, at)
	}
	if !g.exact || !g.mayWrite() {
		g.l = g.s
	}
}

// readRows takes the rows from the minimum on. Where unseen writers keep that
// at 0, it takes the run that follows on it, and those beyond the others'
// minimum.
func (g *generator) readRows(rows []row) {
	seen, unseen := int64(math.MaxInt64), false
	for _, at := range g.p {
		seen = min(seen, at)
	}
	for _, w := range g.writers {
		_, ok := g.p[w]
		unseen = unseen || !ok && g.unseenIsZero
	}
	if !unseen {
		g.w = seen
	}
	from := g.w
	inRun := runFrom(from, rows, g.sign)
	for _, r := range rows {
		id := r.id * g.sign
		if id < from || id < seen && !inRun[id] {
			continue
		}
		g.note(id)
		if r.instance == g.instance && !g.startIsSequence {
			g.p[g.instance] = id
		}
	}
}

// runFrom returns the ids of the rows that follow on at without a gap.
func runFrom(at int64, rows []row, sign int64) map[int64]bool {
	there, run := map[int64]bool{}, map[int64]bool{}
	for _, r := range rows {
		there[r.id*sign] = true
	}
	for id := at + 1; there[id]; id++ {
		run[id] = true
	}
	return run
}

func (g *generator) idle() bool { return len(g.u) == 0 }

// lowest is the lowest id that is open.
func (g *generator) lowest() int64 {
	lowest := int64(math.MaxInt64)
	for id := range g.u {
		lowest = min(lowest, id)
	}
	return lowest
}

// drew notes ids that were drawn.
func (g *generator) drew(ids []int64) {
	for _, id := range ids {
		g.u[id] = true
		g.s = max(g.s, id)
		g.drawn = max(g.drawn, id)
	}
}

// finish marks ids finished.
func (g *generator) finish(ids []int64) {
	for _, id := range ids {
		delete(g.u, id)
		g.d = append(g.d, id)
	}
	limit := g.lowest()
	candidate := int64(0)
	var keep []int64
	for _, id := range g.d {
		if id < limit {
			candidate = max(candidate, id)
		} else {
			keep = append(keep, id)
		}
	}
	g.d = keep
	if candidate > 0 {
		old := g.p[g.instance]
		g.p[g.instance] = max(old, candidate)
		g.l = max(old, candidate, g.l)
	}
	g.sure = max(g.sure, slices.Max(ids)) // they are done, so their draw is flushed
	g.known = max(g.known, g.sure)
	g.announced()
	for _, id := range ids {
		g.note(id)
	}
}

// advance takes another's position; drawn is where the sequence is.
func (g *generator) advance(writer string, id, drawn int64) {
	told := g.ownToken()
	g.p[writer] = max(id, g.p[writer])
	g.s = max(g.s, id)
	g.note(id)
	// It looks how far the sequence is. Of its own last draw it learns nothing.
	// Nor need it look where it may have got as far before, unseen below what it
	// told: an earlier look can have come late.
	if g.exact && g.mayWrite() && id > told && drawn > g.drawn {
		g.learn(drawn)
	}
}

// learn is an exact writer's knowledge that the sequence has passed a value.
func (g *generator) learn(value int64) {
	g.known = max(g.known, value)
	g.announced()
	g.move()
}

// follow has an exact writer learn what the real one has shown that it knows, if
// that is provable: how soon it looks where the sequence is, and whether a draw
// came back flushed, is not for the model to say. It reports whether anything
// was new.
func (g *generator) follow(token, drawn int64) bool {
	token *= g.sign
	if !g.exact || !g.mayWrite() || token <= g.ownToken() || token > min(drawn, g.lowest()-1) {
		return false
	}
	g.learn(token)
	g.sure = max(g.sure, token)
	return true
}

// followStored has an exact writer store what the real one has, up to what it
// announces: one that began beside an open transaction stores when that has been
// seen to end, which on a busy machine is after the next draw.
func (g *generator) followStored(at int64) {
	at *= g.sign
	if g.exact && g.mayWrite() && at > g.p[g.instance] && at <= g.l {
		g.p[g.instance] = at
	}
}

// announced raises what an exact writer announces.
func (g *generator) announced() {
	if g.exact && g.mayWrite() {
		g.l = max(g.l, min(g.known, g.lowest()-1))
	}
}

// toStore is what must be stored after a write: a reading of the sequence that
// is not flushed yet does not count.
func (g *generator) toStore() int64 {
	if g.exact {
		return min(g.l, g.sure)
	}
	return g.l
}

// note is the reference's core step: an id is believed done.
func (g *generator) note(id int64) {
	heap.Push(&g.k, id)
	g.move()
}

func (g *generator) move() {
	g.w = max(g.w, g.minimum())
	if !g.exact || !g.mayWrite() {
		g.l = max(g.l, g.w)
		if g.idle() {
			g.l = max(g.l, g.s)
		}
	}
	for len(g.k) > 0 && g.k[0] <= g.w+1 {
		g.w = max(g.w, heap.Pop(&g.k).(int64))
	}
}

// minimum is over the writers: an idle own position does not count in the
// reference, an exact one reaches far enough to count always.
func (g *generator) minimum() int64 {
	least, some := int64(math.MaxInt64), false
	for w, at := range g.p {
		if w != g.instance {
			least, some = min(least, at), true
		}
	}
	for _, w := range g.writers {
		if _, ok := g.p[w]; !ok && g.unseenIsZero {
			least, some = 0, true
		}
	}
	own := g.p[g.instance]
	switch {
	case g.exact && g.mayWrite():
		return min(least, g.l)
	case !some:
		return own
	case own != 0 && !g.idle():
		return min(least, own)
	}
	return least
}

// state is what the generator says. It is asked for the tokens of its own name,
// of those it knows, and of the others.
func (g *generator) state(asked map[string]int64) state {
	s := state{Current: g.w * g.sign, Persisted: g.w * g.sign, Minimal: g.w * g.sign, Positions: map[string]int64{}, Tokens: map[string]int64{}}
	if at, ok := g.p[g.instance]; ok {
		s.Minimal = at * g.sign
	}
	for w, at := range g.p {
		s.Positions[w] = at * g.sign
	}
	for w := range asked {
		s.Tokens[w] = max(g.p[w], g.w) * g.sign
		if w == g.instance {
			s.Tokens[w] = g.ownToken() * g.sign
		}
	}
	return s
}

func (g *generator) ownToken() int64 {
	switch {
	case !g.exact:
		return g.l
	case g.mayWrite():
		return max(g.l, g.w)
	}
	furthest := g.w
	for _, at := range g.p {
		furthest = max(furthest, at)
	}
	return furthest
}

type idHeap []int64

func (h idHeap) Len() int           { return len(h) }
func (h idHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h idHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *idHeap) Push(x any)        { *h = append(*h, x.(int64)) }
func (h *idHeap) Pop() any {
	x := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return x
}

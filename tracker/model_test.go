package tracker

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// model is the second opinion: what a tracker must say, computed anew each
// time from everything that was ever said, in internal (ascending) ids.
type model struct {
	p         int64
	newest    int64
	done      [][2]int64
	listed    []string
	announced map[string]int64
	complete  map[string]int64
	rows      map[string][]int64
	waiting   []*modelWaiter
	cause     error
}

type modelWaiter struct {
	*waiter
	satisfied bool
}

func newModel(listed []string) *model {
	return &model{listed: listed, announced: map[string]int64{}, complete: map[string]int64{}, rows: map[string][]int64{}}
}

func (m *model) apply(events []Event) {
	if m.cause != nil {
		return
	}
	for _, e := range events {
		m.one(e)
	}
	if least, ok := m.minimum(); ok {
		m.p = max(m.p, least)
	}
	m.follow()
	for _, w := range m.waiting {
		w.satisfied = w.satisfied || m.p >= w.target
	}
}

func (m *model) one(e Event) {
	switch e.Verb {
	case VerbObserve:
		m.observe(e)
	case VerbSettle:
		m.p = max(m.p, e.To)
	case VerbAnnounce:
		m.announce(e)
	case VerbAdvance:
		m.announce(e)
		m.finish(e.To, e.To)
	case VerbForget:
		delete(m.announced, e.Writer)
		delete(m.rows, e.Writer)
		delete(m.complete, e.Writer)
	case VerbComplete:
		m.complete[e.Writer] = max(m.complete[e.Writer], e.To)
		m.reach(e.Writer)
	}
}

// covered is how far a writer is complete by itself.
func (m *model) covered(writer string) int64 { return max(m.announced[writer], m.complete[writer]) }

func (m *model) reach(writer string) {
	for _, w := range m.waiting {
		if w.forWriter && w.writer == writer && m.covered(writer) >= w.target {
			w.satisfied = true
		}
	}
}

func (m *model) observe(e Event) {
	from := e.From
	if from < 1 {
		from = e.To
	}
	if from > e.To || !m.finish(from, e.To) {
		return
	}
	if _, claimed := m.announced[e.Writer]; !claimed {
		m.rows[e.Writer] = append(m.rows[e.Writer], e.To)
	}
}

func (m *model) finish(from, to int64) bool {
	if to < 1 {
		return false
	}
	m.done = append(m.done, [2]int64{from, to})
	m.newest = max(m.newest, to)
	return true
}

func (m *model) announce(e Event) {
	m.announced[e.Writer] = max(m.announced[e.Writer], e.To, 0)
	delete(m.rows, e.Writer)
	m.reach(e.Writer)
}

func (m *model) minimum() (least int64, ok bool) {
	least = math.MaxInt64
	for _, name := range m.listed {
		least, ok = min(least, m.announced[name]), true
	}
	for _, at := range m.announced {
		least, ok = min(least, at), true
	}
	return least, ok
}

func (m *model) follow() {
	for again := true; again; {
		again = false
		for _, r := range m.done {
			if r[0]-1 <= m.p && m.p < r[1] {
				m.p, again = r[1], true
			}
		}
	}
}

func (m *model) positions() map[string]int64 {
	out := maps.Clone(m.announced)
	for name, rows := range m.rows {
		for _, id := range rows {
			if id <= m.p {
				out[name] = max(out[name], id)
			}
		}
	}
	return out
}

func (m *model) gap() bool {
	return slices.ContainsFunc(m.done, func(r [2]int64) bool { return r[1] > m.p })
}

// modelTest drives a tracker and a model with the same actions.
type modelTest struct {
	t       *Tracker
	m       *model
	told    []Move
	moves   uint64 // told when last checked
	shown   map[string]int64
	shownAt int64
}

func TestTrackerAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := Config{Stream: "events", Descending: rapid.Bool().Draw(rt, "descending")}
		if rapid.Bool().Draw(rt, "listed") {
			c.Writers = []string{"a", "b"}
		}
		tr, err := New(c)
		if err != nil {
			rt.Fatal(err)
		}
		mt := &modelTest{t: tr, m: newModel(c.Writers), shown: map[string]int64{}}
		defer tr.Subscribe(func(m Move) { mt.told = append(mt.told, m) })()
		rt.Repeat(map[string]func(*rapid.T){
			"":       mt.check,
			"single": mt.single,
			"batch":  mt.batch,
			"wait":   mt.wait,
			"cancel": mt.cancel,
			"close":  mt.close,
		})
	})
}

func drawID(t *rapid.T, label string) int64 {
	return rapid.OneOf(
		rapid.Int64Range(1, 40), rapid.Int64Range(1, 40), rapid.Int64Range(1, 40), rapid.Int64Range(-3, 3),
		rapid.SampledFrom([]int64{math.MaxInt64, math.MaxInt64 - 1, math.MinInt64, math.MinInt64 + 1}),
	).Draw(t, label)
}

func drawWriter(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "b", "c", ""}).Draw(t, "writer")
}

func drawEvent(t *rapid.T) Event {
	// Mostly rows: the interesting states have gaps.
	verbs := []Verb{VerbObserve, VerbObserve, VerbObserve, VerbObserve, VerbAnnounce, VerbAnnounce, VerbAdvance, VerbSettle, VerbForget, VerbComplete}
	e := Event{Verb: rapid.SampledFrom(verbs).Draw(t, "verb"), Writer: drawWriter(t), To: drawID(t, "to")}
	e.From = e.To
	if e.To > 5 && rapid.Bool().Draw(t, "run") {
		e.From = e.To - rapid.Int64Range(-1, 5).Draw(t, "length")
	}
	if e.Verb == VerbSettle && e.To > 40 && rapid.IntRange(0, 9).Draw(t, "end") > 0 {
		e.To = 1 // else most runs would end here
	}
	return e
}

// outside mirrors an event for the tracker; the ids of the model may be any
// int64, and the least counts as its neighbour once mirrored.
func (mt *modelTest) outside(e Event) Event {
	e.From, e.To = mt.mirror(e.From), mt.mirror(e.To)
	return e
}

func (mt *modelTest) mirror(id int64) int64 {
	if !mt.t.descending {
		return id
	}
	return -max(id, -math.MaxInt64)
}

func (mt *modelTest) single(t *rapid.T) {
	e := drawEvent(t)
	if e.Verb == VerbObserve {
		e.From = e.To
	}
	before := mt.m.p
	mt.m.apply([]Event{e})
	s := scenario{t: mt.t}
	if got, want := s.verb(mt.outside(e)), mt.m.p != before; got != want {
		t.Fatalf("%v %+v: moved = %v, want %v", e.Verb, e, got, want)
	}
}

func (mt *modelTest) batch(t *rapid.T) {
	events := rapid.SliceOfN(rapid.Custom(drawEvent), 0, 8).Draw(t, "events")
	before := mt.m.p
	mt.m.apply(events)
	for i, e := range events {
		events[i] = mt.outside(e)
	}
	told := len(mt.told)
	if got, want := mt.t.Apply(events), mt.m.p != before; got != want {
		t.Fatalf("Apply: moved = %v, want %v", got, want)
	}
	if len(mt.told) > told+1 {
		t.Fatalf("one batch told %d times", len(mt.told)-told)
	}
}

func (mt *modelTest) wait(t *rapid.T) {
	w := &waiter{target: drawID(t, "target"), writer: drawWriter(t), forWriter: rapid.Bool().Draw(t, "for writer")}
	waiting, err := mt.t.enlist(w)
	reached := mt.m.p >= w.target || (w.forWriter && mt.m.covered(w.writer) >= w.target)
	if want := mt.m.cause == nil && !reached; waiting != want || !errors.Is(err, mt.m.cause) {
		t.Fatalf("waiter for %d: waiting %v, error %v", w.target, waiting, err)
	}
	if waiting {
		mt.m.waiting = append(mt.m.waiting, &modelWaiter{waiter: w})
	}
}

func (mt *modelTest) cancel(t *rapid.T) {
	if len(mt.m.waiting) == 0 {
		t.Skip("nobody waits")
	}
	i := rapid.IntRange(0, len(mt.m.waiting)-1).Draw(t, "which")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := mt.t.abandon(ctx, mt.m.waiting[i].waiter); !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled waiter: %v", err)
	}
	mt.m.waiting = slices.Delete(mt.m.waiting, i, i+1)
}

func (mt *modelTest) close(t *rapid.T) {
	if rapid.IntRange(0, 19).Draw(t, "close") > 0 {
		t.Skip("most runs stay open")
	}
	mt.t.Close(nil)
	mt.m.cause = ErrClosed
	for _, w := range mt.m.waiting {
		w.satisfied = true
	}
}

func (mt *modelTest) check(t *rapid.T) {
	mt.checkReads(t)
	mt.checkWaiters(t)
	mt.checkTold(t)
	if err := mt.t.mu.runs.valid(mt.t.mu.p); err != nil {
		t.Fatal(err)
	}
}

func (mt *modelTest) checkReads(t *rapid.T) {
	p := mt.mirror(mt.m.p)
	if a, b := mt.t.CurrentToken(), mt.t.PersistedUpTo(); a != p || b != p {
		t.Fatalf("P = %d, %d, want %d", a, b, p)
	}
	positions := mt.m.positions()
	want := map[string]int64{}
	for name, at := range positions {
		want[name] = mt.mirror(at)
	}
	if got := mt.t.Positions(); !maps.Equal(got, want) {
		t.Fatalf("positions %v, want %v", got, want)
	}
	for _, name := range []string{"a", "b", "c", "", "stranger"} {
		own, known := positions[name]
		if got := mt.t.CurrentTokenForWriter(name); got != mt.mirror(max(own, mt.m.p, mt.m.complete[name])) {
			t.Fatalf("token for writer %q = %d", name, got)
		}
		if !known {
			own = mt.m.p
		}
		if got := mt.t.MinimalLocalToken(name); got != mt.mirror(own) {
			t.Fatalf("minimal local of %q = %d, want %d", name, got, mt.mirror(own))
		}
	}
	_, newest, gap := mt.t.Unsettled()
	if newest != mt.mirror(mt.m.newest) || gap != mt.m.gap() {
		t.Fatalf("newest %d, gap %v, want %d, %v", newest, gap, mt.mirror(mt.m.newest), mt.m.gap())
	}
}

// checkWaiters: exactly the satisfied ones are out, and no other.
func (mt *modelTest) checkWaiters(t *rapid.T) {
	left := mt.m.waiting[:0]
	forWriters := 0
	for _, w := range mt.m.waiting {
		select {
		case <-w.ready:
			if !w.satisfied || !errors.Is(w.err, mt.m.cause) {
				t.Fatalf("waiter for %d woken at %d with %v", w.target, mt.m.p, w.err)
			}
		default:
			if w.satisfied {
				t.Fatalf("waiter for %d sleeps at %d", w.target, mt.m.p)
			}
			left = append(left, w)
			if w.forWriter {
				forWriters++
			}
		}
	}
	mt.m.waiting = left
	for _, h := range mt.t.mu.waiters.byWriter {
		forWriters -= h.len()
	}
	if got := mt.t.mu.waiters.byTarget.len(); got != len(left) || forWriters != 0 {
		t.Fatalf("%d waiters held, want %d; by writer off by %d", got, len(left), forWriters)
	}
}

// checkTold: whatever changed for a reader was told, with the newest P.
func (mt *modelTest) checkTold(t *rapid.T) {
	positions := mt.t.Positions()
	if (mt.shownAt != mt.t.CurrentToken() || !maps.Equal(mt.shown, positions)) && mt.t.mu.moves == mt.moves {
		t.Fatalf("%v became %v and nobody was told", mt.shown, positions)
	}
	mt.shownAt, mt.shown, mt.moves = mt.t.CurrentToken(), positions, mt.t.mu.moves
	if n := len(mt.told); n > 0 && (mt.told[n-1].Number != mt.moves || mt.told[n-1].Position != mt.shownAt) {
		t.Fatalf("told %+v last, at move %d and position %d", mt.told[n-1], mt.moves, mt.shownAt)
	}
}

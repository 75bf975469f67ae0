package follower

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/tidemark-pg/tidemark/follower/internal/gate"
)

// simWrong is a known way to do it wrong.
type simWrong int

const (
	nothingWrong       simWrong = iota
	noGate                      // commits count as soon as they are decoded: DESIGN fact 1
	ownAtOnce                   // one's own position counts before it comes back: RULES 16
	unregistered                // ids are drawn before the registration: RULES 15
	notFlushed                  // ids are done before their nextval is on disk: RULES 17
	noHold                      // a restart does not wait for what the life before left: RULES 18
	doubtDone                   // a lost commit is taken for an end: RULES 19
	noHolders                   // registrations under way are not asked for: RULES 20
	slotLast                    // the slot begins after the load: RULES 20
	positionIsDone              // a position is taken for a done id: hole H2
	notKept                     // what is loaded counts before it is on disk: RULES 17
	freshGuardsNothing          // a listed writer whose row is gone does not wait for its former life: RULES 18

	// Not wrong where the slot sends again whatever may have been unseen: nobody
	// asks for registrations under way, and no session skips anything.
	onlyResumed
	confirmedOnReceipt // the same, and what is confirmed need not have passed the gate: RULES 2
)

// simFatal is what a simulation needs of a test.
type simFatal interface {
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
}

// sim is a database, those who write to it, and those who follow it.
type sim struct {
	simFatal
	db         *simDatabase
	wrong      simWrong
	descending bool
	listed     []string

	rand      *rand.Rand
	seed      *rand.PCG
	processes []*simProcess
	writers   []*simWriter
	followers []*simFollower
	failed    []*simWriter // that have stopped
	all       []*simWrite  // all that has been drawn, and can still appear
	broken    string       // the promise was broken
	events    []simEvent
	mix       simMix
	step      int
	aloud     bool // the story is told as it happens
}

// simNames are those of all writers, of which some are listed if any is.
func simNames() []string { return []string{"a", "b", "c", "d", "e"} }

func (s *sim) names() []string {
	if s.listed != nil {
		return s.listed
	}
	if s.mix == joining {
		return simNames()[:2]
	}
	return simNames()
}

func newSim(t simFatal, wrong simWrong, descending, listed bool, followers int) *sim {
	s := &sim{simFatal: t, wrong: wrong, descending: descending, events: simEvents()}
	s.db = newSimDatabase(s.note)
	s.seed = rand.NewPCG(0, 0)
	s.rand = rand.New(s.seed)
	if listed {
		s.listed = simNames()[:3]
	}
	for range followers {
		s.followers = append(s.followers, s.newFollower())
	}
	return s
}

func (s *sim) outward(id int64) int64 {
	if s.descending {
		return -id
	}
	return id
}

func (s *sim) inward(id int64) int64 { return s.outward(id) }

func (s *sim) choose(n int) int { return s.rand.IntN(n) }

// hangs: one in a few takes long, to commit or to be visible.
func (s *sim) hangs() bool { return s.choose(4) == 0 }

// note tells what happens.
func (s *sim) note(format string, args ...any) {
	if s.aloud {
		s.Logf("%4d: %s", s.step, fmt.Sprintf(format, args...))
	}
}

// close ends what goes on.
func (s *sim) close() {
	for len(s.processes) > 0 {
		s.processes[0].kill()
	}
}

// play is one step: what happens, and to whom, follows from the word alone, so
// that a script stays a script when words are taken out.
func (s *sim) play(word uint64) {
	s.step++
	s.seed.Seed(word, word)
	total := 0
	for _, e := range s.events {
		total += e.weights[s.mix]
	}
	n := s.choose(total)
	for _, e := range s.events {
		if n -= e.weights[s.mix]; n < 0 {
			e.happens(s)
			break
		}
	}
	s.settle()
	s.check()
}

// settle ends the writers that have stopped.
func (s *sim) settle() {
	for _, w := range s.failed {
		w.die()
	}
	s.failed = nil
}

// simMix is how often what happens: a simulation is about one thing or another.
type simMix int

const (
	mixed   simMix = iota
	joining        // writers come and go, and sessions of followers
)

type simEvent struct {
	weights [2]int // in each mix
	happens func(*sim)
}

// simEvents is what may happen.
func simEvents() []simEvent {
	return []simEvent{
		{[2]int{58, 120}, (*sim).goOn},
		{[2]int{6, 16}, (*sim).startWriter},
		{[2]int{16, 12}, onWriter(func(w *simWriter) { w.draw(1 + w.choose(2)) })},
		{[2]int{12, 4}, onWriter((*simWriter).write)},
		{[2]int{12, 4}, (*sim).commit},
		{[2]int{16, 14}, (*sim).show},
		{[2]int{3, 2}, (*sim).abort},
		{[2]int{12, 12}, onWriter((*simWriter).finish)},
		{[2]int{2, 0}, onWriter((*simWriter).loseCommit)},
		{[2]int{6, 24}, onWriter((*simWriter).read)},
		{[2]int{5, 8}, onWriter(func(w *simWriter) { w.flush(w.choose(2) == 0) })},
		{[2]int{10, 24}, onWriter((*simWriter).announce)},
		{[2]int{4, 6}, onWriter((*simWriter).refresh)},
		{[2]int{5, 5}, onWriter((*simWriter).wait)},
		{[2]int{3, 0}, onWriter((*simWriter).resolve)},
		{[2]int{2, 1}, onWriter((*simWriter).die)},
		{[2]int{1, 0}, onWriter((*simWriter).loseLease)},
		{[2]int{2, 12}, (*sim).retire},
		{[2]int{1, 0}, (*sim).sweep},
		{[2]int{4, 4}, func(s *sim) { s.db.flush(s.db.onDisk + s.choose(len(s.db.wal)-s.db.onDisk+1)) }},
		{[2]int{1, 1}, func(s *sim) { s.db.stale = true }},
		{[2]int{1, 0}, func(s *sim) { s.unlikely((*sim).crash) }},
		{[2]int{8, 24}, onFollower((*simFollower).begin)},
		{[2]int{12, 20}, onFollower(func(f *simFollower) { f.decode(1 + f.choose(3)) })},
		{[2]int{12, 24}, onFollower((*simFollower).gate)},
		{[2]int{1, 2}, onFollower((*simFollower).lose)},
	}
}

func onWriter(f func(*simWriter)) func(*sim) {
	return func(s *sim) {
		if w, ok := pick(s, s.writers); ok {
			f(w)
		}
	}
}

func onFollower(f func(*simFollower)) func(*sim) {
	return func(s *sim) {
		if g, ok := pick(s, s.followers); ok {
			f(g)
		}
	}
}

func pick[T any](s *sim, among []T) (one T, ok bool) {
	if len(among) == 0 {
		return one, false
	}
	return among[s.choose(len(among))], true
}

// goOn lets one of the processes go on for a few steps.
func (s *sim) goOn() {
	for range 1 + s.choose(3) {
		p, _ := pick(s, s.processes)
		for range 1 + s.choose(4) {
			p.step()
		}
	}
}

func (s *sim) unlikely(happens func(*sim)) {
	if s.choose(4) == 0 {
		happens(s)
	}
}

// startWriter starts a process, under a name that no other one has.
func (s *sim) startWriter() {
	name, _ := pick(s, s.names())
	s.startNamed(name)
}

func (s *sim) startNamed(name string) {
	if !s.lives(name) && !s.db.leases[name] {
		s.newWriter(name).read()
	}
}

func (s *sim) lives(name string) bool {
	return slices.ContainsFunc(s.writers, func(w *simWriter) bool { return w.name == name })
}

// write begins the transaction of a write.
func (w *simWriter) write() {
	x, ok := pick(w.sim, slices.DeleteFunc(slices.Clone(w.writes), func(x *simWrite) bool {
		return !x.mayBegin || x.tx != nil
	}))
	if !ok {
		return
	}
	x.tx = w.db.begin(w.hangs())
	x.tx.async = w.choose(3) == 0
	for _, id := range x.ids {
		x.tx.changes = append(x.tx.changes, simChange{gate.Inserted, w.name, id})
	}
}

// finish tells what became of a write, where the program knows, or that it does
// not.
func (w *simWriter) finish() {
	x, ok := pick(w.sim, slices.DeleteFunc(slices.Clone(w.writes), func(x *simWrite) bool {
		return x.tx != nil && !x.tx.ended() && !x.lost
	}))
	if !ok {
		return
	}
	w.end(x)
}

func (w *simWriter) end(x *simWrite) {
	x.forsake()
	w.writes = slices.DeleteFunc(w.writes, func(o *simWrite) bool { return o == x })
	if x.lost && w.wrong != doubtDone {
		w.doubts = append(w.doubts, simDoubt{write: x})
		return
	}
	w.done(x)
	w.Conclude()
}

// loseCommit loses the connection of a write.
func (w *simWriter) loseCommit() {
	x, ok := pick(w.sim, slices.DeleteFunc(slices.Clone(w.writes), func(x *simWrite) bool { return x.tx == nil }))
	if ok {
		x.lost = true
		x.forsake()
	}
}

// loseLease loses the connection that holds the name.
func (w *simWriter) loseLease() {
	if w.lease {
		delete(w.db.leases, w.name)
		w.lease = false
	}
}

// inState picks an open transaction.
func (s *sim) inState(state simState, fits func(*simTransaction) bool) (*simTransaction, bool) {
	return pick(s, slices.DeleteFunc(slices.Clone(s.db.open), func(t *simTransaction) bool {
		return t.state != state || !fits(t) || t.hangs && s.choose(12) > 0
	}))
}

func isWrite(t *simTransaction) bool { return !t.table }

func anyOf(*simTransaction) bool { return true }

// commit has the program, or a server whose client has gone, commit rows.
func (s *sim) commit() {
	if t, ok := s.inState(simRunning, isWrite); ok {
		s.db.commit(t)
		s.all = slices.DeleteFunc(s.all, func(x *simWrite) bool {
			if x.tx == t {
				x.mayBegin = false
			}
			return false
		})
	}
}

func (s *sim) show() {
	if t, ok := s.inState(simCommitted, anyOf); ok {
		s.db.show(t)
	}
}

// abort rolls back; the program may try again.
func (s *sim) abort() {
	t, ok := s.inState(simRunning, isWrite)
	if !ok {
		return
	}
	s.db.end(t, simAborted)
	for _, x := range s.all {
		if x.tx == t && x.mayBegin && !x.lost && s.choose(2) == 0 {
			x.tx = nil
		}
	}
}

// crash is kill -9 of the server. The programs live on; of ids whose nextval is
// lost they write none: somebody else will have them.
func (s *sim) crash() {
	s.db.crash()
	s.note("the server crashes: the sequence goes on from %d, on disk is %d", s.db.last, s.db.onDisk)
	for _, x := range s.all {
		x.lost = x.lost || x.tx != nil
		if x.lost || x.ids[len(x.ids)-1] > s.db.last {
			x.mayBegin = false
		}
	}
	for _, w := range s.writers {
		w.lease = false
	}
	for _, f := range s.followers {
		f.lose()
	}
}

// retire takes away the row of an instance that has gone: under its name, once
// everything has ended that it may have left. RULES 18.
func (s *sim) retire() {
	name, _ := pick(s, s.names())
	if _, found := s.db.positions[name]; !found || s.lives(name) || s.db.leases[name] {
		return
	}
	s.db.leases[name] = true
	s.start(nil, func(p *simProcess) {
		for again := true; again; {
			again = len(s.db.who(false)) > 0 // more than needed
			p.wait()
		}
		t := s.db.begin(s.hangs())
		t.table = true
		s.db.lockRow(p, t, name)
		t.changes = []simChange{{gate.Withdrawn, name, 0}}
		p.sometimes()
		s.db.commit(t)
		for !t.ended() {
			p.wait()
		}
		delete(s.db.leases, name)
	}, func() {})
}

// sweep takes away the row of a listed writer, at work or gone, and waits for
// nothing, as a hand does, or a process of the reference that has another list.
// It counts as 0 then, so nobody passes what it may have left.
func (s *sim) sweep() {
	name, _ := pick(s, s.names())
	if _, found := s.db.positions[name]; !found || s.listed == nil {
		return
	}
	s.start(nil, func(p *simProcess) {
		t := s.db.begin(false)
		t.table = true
		s.db.lockRow(p, t, name)
		t.changes = []simChange{{gate.Withdrawn, name, 0}}
		s.db.commit(t)
		for !t.ended() {
			p.wait()
		}
	}, func() {})
}

// simWarmth is what a simulation begins with.
type simWarmth int

const (
	cold    simWarmth = iota // nothing
	warm                     // two writers at work, one where others join, and followed
	hanging                  // one at work, another one's registration is under way
)

func (s *sim) warmUp(to simWarmth) {
	if to == cold {
		return
	}
	s.startNamed("a")
	s.rest()
	if to == hanging || s.mix == mixed {
		s.startNamed("b")
	}
	if to == hanging {
		s.hangRegistration()
		return
	}
	for _, f := range s.followers {
		f.begin()
	}
	s.rest()
}

// hangRegistration goes on until the registration is on disk, and not visible.
func (s *sim) hangRegistration() {
	for len(s.db.open) == 0 || s.db.open[0].state != simCommitted {
		for _, p := range slices.Clone(s.processes) {
			p.step()
		}
	}
	s.db.flush(len(s.db.wal))
	s.db.open[0].hangs = true
}

package follower

import (
	"slices"
	"time"

	"github.com/tidemark-pg/tidemark/tracker"
	"github.com/tidemark-pg/tidemark/tracker/allocator/allocatortest"
)

// simWriter is a process that writes: an allocator, and the transactions of the
// program around it. Whatever it knows is in its allocator's pure half; here is
// in which order the database is asked, as package allocator does it.
type simWriter struct {
	*sim
	*allocatortest.Writer
	name  string
	lease bool // the connection that holds the name is good
	dead  bool

	onLease, announcing, refreshing, doubting, draining *simProcess

	writes []*simWrite
	doubts []simDoubt
	left   *allocatortest.Wait // what an earlier life left open; nil: nothing
	behind *allocatortest.Wait // who wrote positions when they were read; nil: nobody
	shown  int64               // its position when it was looked at last
}

// simWrite is ids that were drawn together, and what becomes of them.
type simWrite struct {
	name     string
	ids      []int64
	tx       *simTransaction // that writes them, or wrote them
	mayBegin bool            // the program may begin a transaction that writes them
	lost     bool            // the program does not know what became of the transaction
}

type simDoubt struct {
	write *simWrite
	wait  *allocatortest.Wait
}

// open reports whether the ids may still appear, or are there and not visible.
func (x *simWrite) open() bool { return x.mayBegin || x.tx != nil && !x.tx.ended() }

// forsake ends the program's part in a write. A transaction goes on without it.
func (x *simWrite) forsake() {
	x.mayBegin = false
}

func (s *sim) newWriter(name string) *simWriter {
	t, err := allocatortest.NewWriter(s.trackerConfig(), name)
	if err != nil {
		s.Fatal(err)
	}
	w := &simWriter{sim: s, Writer: t, name: name}
	w.AtOnce = w.AtOnce || s.wrong == ownAtOnce
	s.writers = append(s.writers, w)
	return w
}

func (s *sim) trackerConfig() tracker.Config {
	return tracker.Config{Stream: "s", Descending: s.descending, Writers: s.listed}
}

// die ends the process, as kill -9 does or an allocator that has stopped.
func (w *simWriter) die() {
	w.dead = true
	w.note("%s dies", w.name)
	for _, p := range []*simProcess{w.onLease, w.announcing, w.refreshing, w.doubting, w.draining} {
		p.kill()
	}
	for _, x := range w.writes {
		x.forsake()
	}
	if w.lease {
		delete(w.db.leases, w.name)
	}
	w.lease = false
	w.writers = slices.DeleteFunc(w.writers, func(o *simWriter) bool { return o == w })
}

func (w *simWriter) nothing() {}

// use does something over the connection that holds the name, which it takes
// first where it is not held. One at a time has its turn.
func (w *simWriter) use(f func(*simProcess)) {
	if w.onLease.going() {
		w.onLease.step()
		return
	}
	cut := func() bool { return !w.lease }
	w.onLease = w.start(cut, func(p *simProcess) {
		if w.lease || w.take(p) {
			f(p)
		}
	}, w.nothing)
}

// take takes the name, and begins a life. RULES 15 and 18.
func (w *simWriter) take(p *simProcess) bool {
	if w.db.leases[w.name] {
		return false
	}
	w.db.leases[w.name], w.lease = true, true
	ok := false
	defer func() {
		if !ok && w.lease && !w.dead && p.life == w.db.life {
			delete(w.db.leases, w.name)
			w.lease = false
		}
	}()
	life := w.db.lifeName()
	p.pause()
	if err := w.Recognise("history", life); err != nil {
		p.stopped(w, err)
	}
	last := w.readFlushed(p)
	stored, fresh := w.enrol(p, last, true)
	wait := &allocatortest.Wait{}
	open, life := w.db.who(false), w.db.lifeName()
	p.pause()
	ended := wait.Look(open, life) || w.wrong == noHold || fresh && w.wrong == freshGuardsNothing
	found := allocatortest.Life{Last: last, OnDisk: w.db.flushed(), Stored: stored, Fresh: fresh, Ended: ended}
	w.note("%s begins a life: %+v, ended %v", w.name, found, ended)
	if err := w.Begin(found); err != nil {
		p.stopped(w, err)
	}
	w.left = nil
	if w.Held() {
		w.left = wait
	}
	w.Conclude()
	ok = true
	return true
}

// stopped is the end of an allocator that cannot go on: what is open is ended,
// and another one is begun.
func (p *simProcess) stopped(w *simWriter, err error) {
	w.note("%s stops: %v", w.name, err)
	w.failed = append(w.failed, w)
	for {
		p.wait()
	}
}

func (w *simWriter) readFlushed(p *simProcess) int64 {
	last := w.db.lastValue(p)
	p.pause()
	if w.wrong != notFlushed {
		w.db.flush(len(w.db.wal)) // forced
	}
	p.pause()
	return last
}

// enrol makes sure that the instance is registered: at the beginning of a life,
// or where the row has gone from under it.
func (w *simWriter) enrol(p *simProcess, last int64, begins bool) (stored int64, fresh bool) {
	for {
		stored, found := w.db.positions[w.name]
		p.pause()
		if found {
			return stored, false
		}
		if w.wrong == unregistered {
			return last, true
		}
		value := w.registration(p, last, begins)
		if w.store(p, value, false) {
			return value, true
		}
	}
}

func (w *simWriter) registration(p *simProcess, last int64, begins bool) int64 {
	if !begins {
		return w.Registration(last)
	}
	value, err := w.Registers(last, w.db.flushed())
	w.Conclude()
	if err != nil {
		p.stopped(w, err)
	}
	return value
}

// store makes the row, or updates it, and returns when that is visible. The
// statement goes on in the server when its client has gone.
func (w *simWriter) store(p *simProcess, value int64, update bool) (done bool) {
	statement := w.start(nil, func(p *simProcess) {
		t := w.db.begin(p.hangs())
		t.table = true
		w.db.lockRow(p, t, w.name)
		if at, found := w.db.positions[w.name]; found && update && at < value || !found && !update {
			t.changes, done = []simChange{{announced, w.name, value}}, true
		}
		p.sometimes()
		w.db.commit(t)
		for !t.ended() {
			p.wait()
		}
	}, w.nothing)
	for statement.going() {
		p.wait()
	}
	return done
}

// draw draws ids.
func (w *simWriter) draw(n int) {
	w.use(func(p *simProcess) {
		fetch := w.BeginFetch()
		x := &simWrite{name: w.name}
		delivered := false
		defer func() {
			x.mayBegin = delivered
			if !delivered {
				w.DropFetch(fetch)
				w.Conclude()
			}
		}()
		for !w.registered() {
			w.enrol(p, w.readFlushed(p), false)
		}
		for range n {
			id := w.db.nextval(p)
			x.ids, x.mayBegin = append(x.ids, id), true
			if len(x.ids) == 1 {
				w.all = append(w.all, x)
			}
			p.sometimes()
		}
		inserted, flushed := w.db.inserted(), w.flushedNow()
		p.pause()
		if err := w.EndFetch(fetch, x.ids, inserted); err != nil {
			x.mayBegin = false
			p.stopped(w, err)
		}
		w.Flush(flushed)
		w.writes = append(w.writes, x)
		delivered = true
		w.note("%s has drawn %v, at %d, told that %d is on disk", w.name, x.ids, inserted, flushed)
		w.Conclude()
	})
}

func (w *simWriter) registered() bool {
	_, found := w.db.positions[w.name]
	return found || w.wrong == unregistered
}

// flushedNow is what the server says is on disk. RULES 17.
func (w *simWriter) flushedNow() allocatortest.LSN {
	if w.wrong == notFlushed {
		return w.db.inserted()
	}
	return w.db.flushed()
}

// read looks how far the sequence has gone, as an idle writer does.
func (w *simWriter) read() {
	w.use(func(p *simProcess) {
		w.Touch()
		last := w.db.lastValue(p)
		p.sometimes()
		inserted, flushed := w.db.inserted(), w.flushedNow()
		p.pause()
		err := w.Read(last, inserted, time.Time{})
		if err == nil {
			w.Flush(flushed)
		}
		w.Conclude()
		if err != nil {
			p.stopped(w, err)
		}
		if !w.registered() {
			w.enrol(p, w.readFlushed(p), false)
		}
	})
}

// flush looks how far the log is on disk.
func (w *simWriter) flush(force bool) {
	w.use(func(p *simProcess) {
		if force {
			w.db.flush(len(w.db.wal))
		}
		flushed := w.flushedNow()
		p.pause()
		w.Flush(flushed)
		w.Conclude()
	})
}

// announce stores the position, if it is worth it.
func (w *simWriter) announce() {
	if w.announcing.going() {
		w.announcing.step()
		return
	}
	value, due := w.Announcement()
	if !due {
		return
	}
	w.announcing = w.start(nil, func(p *simProcess) {
		w.store(p, value, true)
		if w.registered() {
			w.Announced(value)
			return
		}
		w.Touch()
		w.use(func(p *simProcess) { w.enrol(p, w.readFlushed(p), false) })
	}, w.Touch)
}

// refresh reads the positions, and the rows beyond. RULES 20.
func (w *simWriter) refresh() {
	if w.refreshing.going() {
		w.refreshing.step()
		return
	}
	w.refreshing = w.start(nil, func(p *simProcess) {
		last := w.db.lastValue(p)
		p.pause()
		var writing []string
		if w.wrong != noHolders {
			writing = w.db.who(true)
		}
		life := w.db.lifeName()
		p.pause()
		positions := w.db.visiblePositions()
		w.keep(p)
		w.behind = &allocatortest.Wait{}
		if w.behind.Look(writing, life) {
			w.behind = nil
		}
		w.note("%s loads %v, last value %d, somebody writing: %v", w.name, positions, last, w.behind != nil)
		w.Load(last, w.behind != nil, positions)
		rows := w.db.visibleRows(w.inward(w.Tracker.CurrentToken()))
		w.keep(p)
		w.note("%s loads rows %v", w.name, rows)
		for _, id := range rows {
			w.Observe(id)
		}
	}, w.nothing)
}

// keep has what was read put on disk. RULES 17.
func (w *simWriter) keep(p *simProcess) {
	p.pause()
	if w.wrong != notKept {
		w.db.flush(len(w.db.wal))
	}
	p.pause()
}

// wait looks whether what must end first has ended: those who wrote positions,
// and what an earlier life left open.
func (w *simWriter) wait() {
	if w.draining.going() {
		w.draining.step()
		return
	}
	w.draining = w.start(nil, func(p *simProcess) {
		left, behind := w.left, w.behind
		open, life := w.db.who(false), w.db.lifeName()
		p.pause()
		if left != nil && left.Look(open, life) && w.left == left {
			w.left = nil
			w.Release()
			w.Touch()
			w.Conclude()
		}
		if behind != nil && behind.Look(open, life) {
			w.refresh()
		}
	}, w.nothing)
}

// resolve looks which writes in doubt are over. RULES 19.
func (w *simWriter) resolve() {
	if w.doubting.going() || len(w.doubts) == 0 {
		w.doubting.step()
		return
	}
	for i := range w.doubts {
		if w.doubts[i].wait == nil {
			w.doubts[i].wait = &allocatortest.Wait{}
		}
	}
	doubts := w.doubts
	w.doubting = w.start(nil, func(p *simProcess) {
		over := 0
		for _, d := range doubts {
			open, life := w.db.who(false), w.db.lifeName()
			p.pause()
			if !d.wait.Look(open, life) {
				break
			}
			over++
		}
		for _, d := range doubts[:over] {
			w.done(d.write)
		}
		w.doubts = w.doubts[over:]
		w.Conclude()
	}, w.nothing)
}

func (w *simWriter) done(x *simWrite) {
	w.note("%s knows that %v have ended", w.name, x.ids)
	for _, id := range x.ids {
		w.Finish(id, time.Time{})
	}
}

package follower

import (
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"slices"
)

// simProcess is something that goes on in steps while other things happen: a
// process, or a statement within the server. It is run as a coroutine, and what
// it knows while it pauses is as old as that.
type simProcess struct {
	*sim
	resume func() (struct{}, bool)
	stop   func()
	yield  func(struct{}) bool
	life   int         // of the server that it is connected to
	cut    func() bool // its connection is lost; nil: only with the server
	ended  bool
}

// What unwinds a process that does not go on.
var (
	errSimKilled = errors.New("the process was killed")
	errSimLost   = errors.New("the connection was lost")
)

// start begins a process: body, and lost if its connection is lost.
func (s *sim) start(cut func() bool, body func(*simProcess), lost func()) *simProcess {
	p := &simProcess{sim: s, life: s.db.life, cut: cut}
	p.resume, p.stop = iter.Pull(func(yield func(struct{}) bool) {
		p.yield = yield
		if p.run(body) == errSimLost {
			p.ended = true
			lost()
		}
	})
	s.processes = append(s.processes, p)
	p.step()
	return p
}

// run returns what unwound the body.
func (p *simProcess) run(body func(*simProcess)) (err error) {
	defer unwound(&err)
	body(p)
	return nil
}

// unwound turns what unwinds a process into an error.
func unwound(err *error) {
	switch r := recover(); r {
	case nil:
	case errSimKilled, errSimLost:
		*err = r.(error)
	default:
		panic(fmt.Sprintf("%v\n%s", r, debug.Stack())) // where it happened, which the coroutine hides
	}
}

// pause lets other things happen, often.
func (p *simProcess) pause() {
	if p.choose(2) == 0 {
		p.wait()
	}
}

// wait lets other things happen.
func (p *simProcess) wait() {
	if !p.yield(struct{}{}) {
		panic(errSimKilled)
	}
	if p.life != p.db.life || p.cut != nil && p.cut() {
		panic(errSimLost)
	}
}

// sometimes is pause, mostly left out.
func (p *simProcess) sometimes() {
	if p.choose(8) == 0 {
		p.wait()
	}
}

// step goes on until the next pause.
func (p *simProcess) step() {
	if p == nil || p.ended {
		return
	}
	if _, going := p.resume(); !going {
		p.ended = true
		p.processes = slices.DeleteFunc(p.processes, func(o *simProcess) bool { return o == p })
	}
}

// kill ends a process where it is.
func (p *simProcess) kill() {
	if p == nil || p.ended {
		return
	}
	p.ended = true
	p.processes = slices.DeleteFunc(p.processes, func(o *simProcess) bool { return o == p })
	p.stop()
}

func (p *simProcess) going() bool { return p != nil && !p.ended }

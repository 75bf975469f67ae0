package torture

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

// proxy passes TCP connections on to a server. Each direction can be stalled,
// so that bytes vanish as in a cut cable, and slowed; connections can be cut.
type proxy struct {
	listener net.Listener
	target   string
	passing  sync.WaitGroup
	up, down lane // to the server, from the server

	mu    sync.Mutex // protects conns
	conns map[net.Conn]bool
}

// lane is one direction.
type lane struct {
	mu    sync.Mutex // protects what follows
	open  chan struct{}
	delay time.Duration
}

func newProxy(t *testing.T, port int) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: fmt.Sprintf("127.0.0.1:%d", port), conns: make(map[net.Conn]bool)}
	p.heal()
	p.passing.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = in.Close()
			continue
		}
		p.keep(in, out)
		p.passing.Go(func() { p.pass(&p.up, out, in) })
		p.passing.Go(func() { p.pass(&p.down, in, out) })
	}
}

func (p *proxy) keep(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = true
	}
}

func (p *proxy) pass(l *lane, to, from net.Conn) {
	defer p.drop(to)
	defer p.drop(from)
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		l.wait()
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *proxy) drop(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (l *lane) wait() {
	l.mu.Lock()
	open, delay := l.open, l.delay
	l.mu.Unlock()
	<-open
	time.Sleep(delay)
}

// stall stops the lane until it is healed.
func (l *lane) stall() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = make(chan struct{})
}

// slow delays each piece that passes.
func (l *lane) slow(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = d
}

func (l *lane) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = 0
	if l.open == nil {
		l.open = make(chan struct{})
	}
	select {
	case <-l.open:
	default:
		close(l.open)
	}
}

func (p *proxy) heal() {
	p.up.heal()
	p.down.heal()
}

// cut closes every connection.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *proxy) close() {
	_ = p.listener.Close()
	p.heal()
	p.cut()
	p.passing.Wait()
}

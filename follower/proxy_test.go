package follower_test

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
)

// proxy passes TCP connections on, until it is stalled: then it takes what
// comes and says nothing, as a cut cable does.
type proxy struct {
	listener net.Listener
	target   string
	passing  sync.WaitGroup

	mu struct {
		sync.Mutex
		resumed chan struct{} // closed while traffic flows
		conns   []net.Conn
	}
}

func newProxy(t *testing.T, port int) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: fmt.Sprintf("127.0.0.1:%d", port)}
	p.mu.resumed = make(chan struct{})
	close(p.mu.resumed)
	p.passing.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) url() string {
	return fmt.Sprintf("postgres://postgres@%s/postgres", p.listener.Addr())
}

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
		p.mu.Lock()
		p.mu.conns = append(p.mu.conns, in, out)
		p.mu.Unlock()
		p.passing.Go(func() { p.pass(in, out) })
		p.passing.Go(func() { p.pass(out, in) })
	}
}

func (p *proxy) pass(to, from net.Conn) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		resumed := p.mu.resumed
		p.mu.Unlock()
		<-resumed
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

func (p *proxy) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.resumed = make(chan struct{})
}

func (p *proxy) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.mu.resumed:
	default:
		close(p.mu.resumed)
	}
}

func (p *proxy) close() {
	p.resume()
	_ = p.listener.Close()
	p.mu.Lock()
	for _, c := range p.mu.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.passing.Wait()
}

// A server that accepts and then says nothing is noticed within 10 s.
func TestASilentServerIsNoticed(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	p := newProxy(t, b.cluster.Port())
	_, s := b.follow(eventsConfig(p.url()))
	b.following(s)
	id := b.insert(b.sql, "a")
	b.reach(s, id)
	b.streaming()
	p.stall()
	stalled := time.Now()
	st := b.await(s, "reconnecting", func(st follower.Status) bool { return st.State == follower.StateReconnecting })
	if took := time.Since(stalled); took > 10*time.Second {
		t.Errorf("noticed after %s", took)
	}
	if st.Position != id {
		t.Errorf("position %d, was %d", st.Position, id)
	}
	p.resume()
	b.following(s)
	b.reach(s, b.insert(b.sql, "a"))
}

package main

import (
	"io"
	"net"
	"sync"
	"testing"
)

// relay is one TCP address in front of several. Each connection goes to the
// address that choose names; all can be cut, and kept from hearing anything.
type relay struct {
	listener net.Listener
	passing  sync.WaitGroup

	mu     sync.Mutex // protects what follows
	choose func() string
	to     map[string]int // connections made, by address
	conns  []io.Closer
	heard  chan struct{} // closed while what is sent arrives
}

func newRelay(t *testing.T, choose func() string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: l, choose: choose, to: make(map[string]int), heard: make(chan struct{})}
	close(r.heard)
	r.passing.Go(r.serve)
	t.Cleanup(func() {
		_ = l.Close()
		r.hear()
		r.cut()
		r.passing.Wait()
	})
	return r
}

func (r *relay) serve() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return // closed
		}
		r.mu.Lock()
		target := r.choose()
		r.to[target]++
		r.mu.Unlock()
		server, err := net.Dial("tcp", target)
		if err != nil {
			_ = client.Close() // a balancer that does not know yet
			continue
		}
		r.mu.Lock()
		r.conns = append(r.conns, client, server)
		r.mu.Unlock()
		for from, to := range map[net.Conn]net.Conn{client: server, server: client} {
			r.passing.Go(func() {
				defer to.Close()
				_, _ = io.Copy(to, ears{from, r}) // its end is the connection's
			})
		}
	}
}

// ears reads, and hands on what it read when it may be heard.
type ears struct {
	io.Reader
	*relay
}

func (e ears) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	e.mu.Lock()
	heard := e.heard
	e.mu.Unlock()
	<-heard
	return n, err
}

// deafen has nothing arrive any more, in either direction, until hear.
func (r *relay) deafen() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard = make(chan struct{})
}

func (r *relay) hear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.heard:
	default:
		close(r.heard)
	}
}

// cut ends every connection.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.conns = nil
}

// lead sends whoever connects from now on where choose says, and everybody else too.
func (r *relay) lead(choose func() string) {
	r.mu.Lock()
	r.choose = choose
	r.mu.Unlock()
	r.cut()
}

// made is how many connections have been made to an address.
func (r *relay) made(target string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.to[target]
}

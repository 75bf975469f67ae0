package nettest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Relay is one TCP address in front of one server or several. Each connection
// goes where Lead says at that moment. It ends with the test. Its methods may
// be called from any goroutine.
type Relay struct {
	// Up leads to the server, Down comes from it.
	Up, Down Lane

	listener net.Listener
	passing  sync.WaitGroup
	closing  chan struct{} // closed at the end of the test

	mu     sync.Mutex // protects what follows
	choose func() string
	sort   func(first []byte) string
	made   map[string]int // connections, by the server's address
	conns  map[net.Conn]bool
	// forgotten is closed when the connections that pass now are forgotten.
	forgotten chan struct{}
}

// To chooses always the same server.
func To(address string) func() string { return func() string { return address } }

// NewRelay listens on a port of its own. choose names the server, host:port,
// for each connection; a server that cannot be reached closes it.
func NewRelay(t testing.TB, choose func() string) *Relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{
		listener: l, closing: make(chan struct{}), choose: choose, made: make(map[string]int),
		conns: make(map[net.Conn]bool), forgotten: make(chan struct{}),
	}
	r.Heal()
	r.passing.Go(r.accept)
	t.Cleanup(r.close)
	return r
}

// Address is where to connect to, host:port.
func (r *Relay) Address() string { return r.listener.Addr().String() }

// Lead has connections go elsewhere from now on, and cuts those there are.
func (r *Relay) Lead(choose func() string) {
	r.mu.Lock()
	r.choose = choose
	r.mu.Unlock()
	r.Cut()
}

// Sort has connections go, from now on, where the first bytes of the client
// say, and cuts those there are.
func (r *Relay) Sort(choose func(first []byte) string) {
	r.mu.Lock()
	r.sort = choose
	r.mu.Unlock()
	r.Cut()
}

// Made is how many connections to a server were tried.
func (r *Relay) Made(server string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.made[server]
}

// Stall has nothing arrive any more, in either direction, as behind a cut
// cable: nobody is told.
func (r *Relay) Stall() {
	r.Up.Stall()
	r.Down.Stall()
}

// Heal has both directions pass everything at once, what was held back first.
func (r *Relay) Heal() {
	r.Up.Heal()
	r.Down.Heal()
}

// Cut closes every connection; new ones may be made.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		_ = c.Close()
	}
}

// Forget has nothing pass any more on the connections there are, and tells
// nobody, as a firewall does that has forgotten them; Heal does not bring them
// back. New ones may be made.
func (r *Relay) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.forgotten)
	r.forgotten = make(chan struct{})
}

func (r *Relay) close() {
	_ = r.listener.Close()
	close(r.closing)
	r.Heal()
	r.Cut()
	r.passing.Wait()
}

func (r *Relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return // closed
		}
		r.keep(client)
		r.passing.Go(func() { r.lead(client) })
	}
}

// lead connects a client to its server.
func (r *Relay) lead(client net.Conn) {
	first, err := r.first(client)
	if err != nil {
		r.drop(client)
		return
	}
	server, err := net.Dial("tcp", r.next(first))
	if err != nil {
		r.drop(client)
		return
	}
	r.keep(server)
	if _, err := server.Write(first); err != nil {
		r.drop(client)
		r.drop(server)
		return
	}
	r.mu.Lock()
	forgotten := r.forgotten
	r.mu.Unlock()
	r.passing.Go(func() { r.pass(&r.Up, server, client, forgotten) })
	r.passing.Go(func() { r.pass(&r.Down, client, server, forgotten) })
}

// first is what the client says before it is known where it goes: nothing
// where that does not matter.
func (r *Relay) first(client net.Conn) ([]byte, error) {
	r.mu.Lock()
	matters := r.sort != nil
	r.mu.Unlock()
	if !matters {
		return nil, nil
	}
	buf := make([]byte, 4<<10)
	n, err := client.Read(buf)
	return buf[:n], err
}

func (r *Relay) next(first []byte) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	server := ""
	if r.sort != nil {
		server = r.sort(first)
	} else {
		server = r.choose()
	}
	r.made[server]++
	return server
}

func (r *Relay) keep(conns ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		r.conns[c] = true
	}
}

func (r *Relay) drop(c net.Conn) {
	_ = c.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
}

func (r *Relay) pass(l *Lane, to, from net.Conn, forgotten <-chan struct{}) {
	defer r.drop(to)
	defer r.drop(from)
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		l.wait()
		select {
		case <-forgotten:
			_, _ = io.Copy(io.Discard, from) // until one end gives up
			<-r.closing
			return
		default:
		}
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

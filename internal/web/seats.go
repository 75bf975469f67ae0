package web

import (
	"net"
	"net/netip"
	"sync"
)

// seats counts the open connections, all of them and those of each client: an
// address without its port.
type seats struct {
	limit, perClient int // 0: no limit of its own for a client

	mu struct {
		sync.Mutex
		taken   int
		clients map[netip.Addr]int // no zeros
	}
}

func newSeats(limit, perClient int) *seats {
	s := &seats{limit: limit, perClient: perClient}
	s.mu.clients = map[netip.Addr]int{}
	return s
}

// take gives a seat, or names the setting that does not allow it.
func (s *seats) take(client netip.Addr) (full string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.mu.taken >= s.limit:
		return "http.max_connections"
	case s.perClient > 0 && s.mu.clients[client] >= s.perClient:
		return "http.max_connections_per_client"
	}
	s.mu.taken++
	s.mu.clients[client]++
	return ""
}

func (s *seats) leave(client netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.taken--
	if s.mu.clients[client]--; s.mu.clients[client] == 0 {
		delete(s.mu.clients, client)
	}
}

// clientOf is who has made a connection; the zero Addr for one without an
// IP address.
func clientOf(c net.Conn) netip.Addr {
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

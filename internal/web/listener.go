package web

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// sendBuffer bounds what the kernel keeps for a client that does not read;
	// Linux doubles the number for its own bookkeeping.
	sendBuffer = 32 << 10
	// fullLogEvery spaces the lines about connections turned away.
	fullLogEvery = time.Minute
)

// boundedListener prepares each connection and closes those beyond a limit at
// once: a client that is turned away can go elsewhere, one that waits cannot.
type boundedListener struct {
	net.Listener
	seats  *seats
	logger *slog.Logger
	logged map[string]time.Time // by setting; by Accept only, which one goroutine calls
}

func newBoundedListener(ln net.Listener, seats *seats, logger *slog.Logger) *boundedListener {
	return &boundedListener{Listener: ln, seats: seats, logger: logger, logged: map[string]time.Time{}}
}

// Accept waits for the next connection that there is room for.
func (b *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		client := clientOf(c)
		full := b.seats.take(client)
		if full == "" {
			return b.prepare(c, client), nil
		}
		b.turnAway(c, client, full)
	}
}

func (b *boundedListener) prepare(c net.Conn, client netip.Addr) net.Conn {
	if tcp, ok := c.(*net.TCPConn); ok {
		if err := errors.Join(tcp.SetWriteBuffer(sendBuffer), setUserTimeout(tcp, writeTimeout)); err != nil {
			b.logger.Debug("socket options not set", "error", err)
		}
	}
	return &boundedConn{Conn: c, release: sync.OnceFunc(func() { b.seats.leave(client) })}
}

func (b *boundedListener) turnAway(c net.Conn, client netip.Addr, full string) {
	_ = c.Close() // nothing was sent: there is nothing to lose
	if now := time.Now(); now.Sub(b.logged[full]) >= fullLogEvery {
		b.logged[full] = now
		b.logger.Warn("connection turned away: a limit is reached", "limit", full, "client", client.String())
	}
}

// boundedConn gives its place back when it is closed.
type boundedConn struct {
	net.Conn
	release func()
}

// Close closes the connection and gives its place back, once.
func (c *boundedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}

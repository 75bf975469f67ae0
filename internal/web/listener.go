package web

import (
	"errors"
	"log/slog"
	"net"
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

// boundedListener prepares each connection and closes those beyond the limit at
// once: a client that is turned away can go elsewhere, one that waits cannot.
type boundedListener struct {
	net.Listener
	slots  chan struct{} // one element per open connection
	logger *slog.Logger
	logged time.Time // by Accept only, which one goroutine calls
}

func newBoundedListener(ln net.Listener, limit int, logger *slog.Logger) *boundedListener {
	return &boundedListener{Listener: ln, slots: make(chan struct{}, limit), logger: logger}
}

// Accept waits for the next connection that there is room for.
func (b *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case b.slots <- struct{}{}:
			return b.prepare(c), nil
		default:
			b.turnAway(c)
		}
	}
}

func (b *boundedListener) prepare(c net.Conn) net.Conn {
	if tcp, ok := c.(*net.TCPConn); ok {
		if err := errors.Join(tcp.SetWriteBuffer(sendBuffer), setUserTimeout(tcp, writeTimeout)); err != nil {
			b.logger.Debug("socket options not set", "error", err)
		}
	}
	return &boundedConn{Conn: c, release: sync.OnceFunc(func() { <-b.slots })}
}

func (b *boundedListener) turnAway(c net.Conn) {
	_ = c.Close() // nothing was sent: there is nothing to lose
	if now := time.Now(); now.Sub(b.logged) >= fullLogEvery {
		b.logged = now
		b.logger.Warn("connection turned away: http.max_connections reached", "max_connections", cap(b.slots))
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

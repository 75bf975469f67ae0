package nettest

import (
	"context"
	"errors"
	"net"
	"sync"
)

// Pipes is a listener that accepts what its Dial made: connections without
// sockets, so that the clock of a synctest bubble can run. Its methods may be
// called from any goroutine.
type Pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	close  sync.Once
}

// NewPipes is a listener that nobody has dialled yet.
func NewPipes() *Pipes { return &Pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

// Dial connects to the listener as soon as it accepts. It has the form of
// http.Transport's DialContext; network and address do not matter.
func (l *Pipes) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept waits for a connection; net.ErrClosed after Close.
func (l *Pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close refuses connections from now on. It returns nil.
func (l *Pipes) Close() error {
	l.close.Do(func() { close(l.closed) })
	return nil
}

// Addr is no place.
func (l *Pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

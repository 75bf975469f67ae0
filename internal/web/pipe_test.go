package web_test

import (
	"context"
	"net"
	"net/http"
	"testing"

	"github.com/tidemark-pg/tidemark/internal/web"
)

// pipeListener accepts what its dial method made: connections without sockets,
// so that a bubble's clock can run.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// openPipe serves inside a bubble.
func openPipe(t *testing.T, streams ...string) *site {
	t.Helper()
	ln := newPipeListener()
	return openOn(t, web.Config{}, ln, &http.Transport{DialContext: ln.dial}, streams...)
}

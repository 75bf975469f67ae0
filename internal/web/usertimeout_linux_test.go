package web

import (
	"log/slog"
	"net"
	"syscall"
	"testing"
)

// What the kernel keeps for a client that does not read is bounded too, and so
// is for how long.
func TestSocketsAreBounded(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	bounded := newBoundedListener(ln, newSeats(1, 0), slog.New(slog.DiscardHandler))
	defer bounded.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := bounded.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	raw, err := server.(*boundedConn).Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		size, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF)
		if err != nil || size > 2*sendBuffer {
			t.Errorf("send buffer %d, %v", size, err)
		}
		timeout, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout)
		if err != nil || timeout != 30_000 {
			t.Errorf("user timeout %d ms, %v", timeout, err)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

package session

import (
	"crypto/tls"
	"net"
	"runtime"
	"testing"
	"time"
)

// pair is the two ends of a TCP connection.
func pair(t *testing.T) (ours, peer net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if ours, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if peer, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = ours.Close(), peer.Close() })
	return ours, peer
}

// Nobody is woken for what arrives while messages gather, and everybody is
// afterwards: what has arrived is read at once, and what arrives later too.
func TestHush(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("SO_RCVLOWAT is asked for on Linux alone")
	}
	ours, peer := pair(t)
	raw := rawOf(tls.Client(ours, nil))
	if raw == nil {
		t.Fatal("no socket was found under TLS")
	}
	read := make(chan string, 1)
	next := func() {
		buf := make([]byte, 100)
		n, err := ours.Read(buf)
		if err != nil {
			t.Error(err)
		}
		read <- string(buf[:n])
	}
	if err := setLowWater(raw, hushed); err != nil {
		t.Fatal(err)
	}
	go next()
	time.Sleep(50 * time.Millisecond) // it waits for something to read
	for range 3 {
		if _, err := peer.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case got := <-read:
		t.Errorf("woken for %q", got)
		go next()
	case <-time.After(100 * time.Millisecond):
	}
	if err := hush(raw, 0); err != nil {
		t.Fatal(err)
	}
	if got := <-read; got != "xxx" {
		t.Errorf("read %q", got)
	}
	go next()
	if _, err := peer.Write([]byte("y")); err != nil {
		t.Fatal(err)
	}
	if got := <-read; got != "y" {
		t.Errorf("read %q", got)
	}
}

func TestHushWithoutASocket(t *testing.T) {
	t.Parallel()
	ours, _ := net.Pipe()
	if raw := rawOf(ours); raw != nil {
		t.Fatalf("%v is a socket", raw)
	}
	if err := hush(nil, time.Millisecond); err != nil {
		t.Error(err)
	}
}

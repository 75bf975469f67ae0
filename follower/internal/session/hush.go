package session

import (
	"net"
	"syscall"
	"time"
)

// hushed is how many bytes may arrive before somebody is told while messages
// gather: more than do.
const hushed = 1 << 20

// hush sleeps, and is told of nothing that arrives on the connection meanwhile.
// Sleeping is not enough: the runtime's poller would be woken for each message
// all the same, which costs the server, that sends them one by one, more than
// decoding does. What has arrived can be read afterwards.
func hush(raw syscall.RawConn, d time.Duration) error {
	if raw == nil {
		time.Sleep(d)
		return nil
	}
	if err := setLowWater(raw, hushed); err != nil {
		return err
	}
	time.Sleep(d)
	return setLowWater(raw, 1)
}

// rawOf is the socket under a connection, under TLS too; nil where there is none.
func rawOf(conn net.Conn) syscall.RawConn {
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secured.NetConn()
	}
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil // closed: reading will say so
	}
	return raw
}

//go:build !linux

package web

import (
	"net"
	"time"
)

// setUserTimeout does nothing here: a client that takes nothing is noticed when
// its send buffer is full.
func setUserTimeout(*net.TCPConn, time.Duration) error { return nil }

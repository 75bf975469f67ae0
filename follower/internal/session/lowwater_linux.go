package session

import (
	"fmt"
	"syscall"
)

// setLowWater has the kernel tell of what arrives once there are so many bytes.
func setLowWater(conn syscall.RawConn, bytes int) error {
	var failed error
	err := conn.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, bytes)
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("set SO_RCVLOWAT: %w", err)
	}
	return nil
}

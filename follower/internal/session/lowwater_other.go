//go:build !linux

package session

import "syscall"

// setLowWater does nothing: what it spares is known of Linux alone.
func setLowWater(syscall.RawConn, int) error { return nil }

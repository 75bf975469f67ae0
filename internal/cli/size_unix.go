//go:build linux || darwin

package cli

import (
	"io"
	"os"
	"syscall"
	"unsafe"
)

// terminalSize is the size of the terminal that w is; 0 where it cannot be told.
func terminalSize(w io.Writer) (columns, rows int) {
	f, ok := w.(*os.File)
	if !ok {
		return 0, 0
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, 0
	}
	var size struct{ rows, columns, width, height uint16 } // struct winsize
	var errno syscall.Errno
	err = raw.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
	})
	if err != nil || errno != 0 {
		return 0, 0
	}
	return int(size.columns), int(size.rows)
}

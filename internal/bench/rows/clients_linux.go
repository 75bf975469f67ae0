package rows

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// listen connects the readers and hears for all of them until they know of the
// last row. One loop over epoll reads for all: readers that each wait in a
// goroutine would need more of the machine than the daemon that is measured.
func (l *listening) listen(ctx context.Context) (err error) {
	poll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("make an epoll: %w", err)
	}
	defer func() { err = errors.Join(err, syscall.Close(poll)) }()
	readers := map[int32]*client{}
	defer func() {
		for fd := range readers {
			_ = syscall.Close(int(fd))
		}
	}()
	for range l.Clients {
		fd, err := l.connect()
		if err != nil {
			return err
		}
		readers[int32(fd)] = &client{next: l.first}
		event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
		if err := syscall.EpollCtl(poll, syscall.EPOLL_CTL_ADD, fd, &event); err != nil {
			return fmt.Errorf("watch a connection: %w", err)
		}
	}
	return l.hearAll(ctx, poll, readers)
}

// connect makes a connection and asks for events over it.
func (l *listening) connect() (fd int, err error) {
	daemon, err := netip.ParseAddrPort(l.Daemon)
	if err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("make a socket: %w", err)
	}
	err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(daemon.Port()), Addr: daemon.Addr().As4()})
	if err == nil {
		_, err = syscall.Write(fd, []byte(l.request()))
	}
	if err != nil {
		return 0, errors.Join(fmt.Errorf("ask for events: %w", err), syscall.Close(fd))
	}
	return fd, nil
}

// patient is how long a wait for any event takes at most, in milliseconds.
const patient = 1000

func (l *listening) hearAll(ctx context.Context, poll int, readers map[int32]*client) error {
	events, buf := make([]syscall.EpollEvent, 256), make([]byte, 16<<10)
	for len(readers) > 0 && ctx.Err() == nil {
		n, err := syscall.EpollWait(poll, events, patient)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("wait for events: %w", err)
		}
		for _, e := range events[:max(n, 0)] {
			if err := l.hearOne(e.Fd, readers, buf); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// hearOne reads what came over one connection, and closes it after the last row.
func (l *listening) hearOne(fd int32, readers map[int32]*client, buf []byte) error {
	n, err := syscall.Read(int(fd), buf)
	switch {
	case err != nil:
		return fmt.Errorf("read events: %w", err)
	case n == 0:
		return errors.New("read events: the daemon closed the connection")
	}
	done, err := l.hear(readers[fd], buf[:n])
	if done {
		delete(readers, fd)
		err = errors.Join(err, syscall.Close(int(fd)))
	}
	return err
}

package pgcluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	startTimeout = 60 * time.Second      // for a start whose context has no deadline
	pollPause    = 20 * time.Millisecond // between looks at something that sends no event
	killTimeout  = 10 * time.Second      // for processes to go after SIGKILL
	startTries   = 5                     // ports tried before Start gives up
	logTailLines = 20                    // of the server's log, in errors
)

// ErrRunning is returned where a server runs that must not.
var ErrRunning = errors.New("server is running")

// ErrStopped is returned where no server runs that should.
var ErrStopped = errors.New("server is not running")

// server is one running postmaster.
type server struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and been waited for
}

func (s *server) running() bool {
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// firstStart chooses a port and starts the server; another port if that one
// was taken meanwhile.
func (c *Cluster) firstStart(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	for range startTries {
		if c.port, err = freePort(); err != nil {
			return err
		}
		if err = c.start(ctx); err == nil || !strings.Contains(c.LogTail(logTailLines), "could not bind") {
			return err
		}
	}
	return err
}

// freePort picks a port that nobody listens on, below the range from which
// systems hand out ports to clients: one of those could be taken by any
// connection while the server restarts.
func freePort() (int, error) {
	const low, high, tries = 20000, 32000, 100
	var lastErr error
	for range tries {
		port := low + rand.IntN(high-low)
		l, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err != nil {
			lastErr = err
			continue
		}
		return port, l.Close()
	}
	return 0, fmt.Errorf("find a free port: %w", lastErr)
}

// StartAgain starts the server of a cluster that was stopped or killed, on
// the same data and port, and returns once it accepts connections. It returns
// [ErrRunning] if it runs.
func (c *Cluster) StartAgain(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server != nil && c.server.running() {
		return fmt.Errorf("start server: %w", ErrRunning)
	}
	if err := c.start(ctx); err != nil {
		return fmt.Errorf("start server: %w", err)
	}
	return nil
}

// start runs the server and waits until it accepts connections; if it does
// not, the server is ended again.
func (c *Cluster) start(ctx context.Context) error {
	if c.closed {
		return ErrClosed
	}
	if err := c.writeSettings(); err != nil {
		return err
	}
	s, err := c.spawn()
	if err != nil {
		return err
	}
	c.server = s
	if err := c.awaitReady(ctx, s); err != nil {
		return errors.Join(fmt.Errorf("%w; its log ends:\n%s", err, c.LogTail(logTailLines)), c.endServer())
	}
	c.log.Debug("server started", "port", c.port, "version", c.binaries.Version, "pid", s.cmd.Process.Pid)
	return nil
}

// spawn starts the postmaster, with its output in the log file.
func (c *Cluster) spawn() (*server, error) {
	logFile, err := os.OpenFile(c.logFile(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open server log: %w", err)
	}
	defer logFile.Close()
	cmd := c.command("postgres", "-D", c.DataDir())
	cmd.Stdout, cmd.Stderr = logFile, logFile
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("run postgres: %w", c.account.explain(cmd.Path, err))
	}
	s := &server{cmd: cmd, done: make(chan struct{})}
	err = c.guard.guard(cmd.Process)
	go func() {
		defer close(s.done)
		_ = cmd.Wait() // how it ended stands in its log
	}()
	if err != nil {
		_ = cmd.Process.Kill() // an unguarded server must not stay; it may be gone already
		<-s.done
		return nil, err
	}
	return s, nil
}

// awaitReady returns once the server lets a superuser in.
func (c *Cluster) awaitReady(ctx context.Context, s *server) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, startTimeout)
		defer cancel()
	}
	for {
		conn, err := pgconn.Connect(ctx, c.URL("", ""))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.done:
			return errors.New("server ended while starting")
		case <-ctx.Done():
			return fmt.Errorf("wait for server: %w", errors.Join(ctx.Err(), err))
		case <-time.After(pollPause):
		}
	}
}

// StopMode is how a server is asked to stop.
type StopMode int

const (
	// StopFast ends all sessions, writes a checkpoint, and lets walsenders
	// send what is left: an orderly stop.
	StopFast StopMode = iota

	// StopSmart waits until every client has gone by itself.
	StopSmart

	// StopImmediate ends the server without a checkpoint; the next start
	// recovers as from a crash.
	StopImmediate
)

// String is the mode's name as pg_ctl knows it.
func (m StopMode) String() string {
	switch m {
	case StopFast:
		return "fast"
	case StopSmart:
		return "smart"
	case StopImmediate:
		return "immediate"
	default:
		return "StopMode(" + strconv.Itoa(int(m)) + ")"
	}
}

// signal that asks a postmaster for this mode.
func (m StopMode) signal() syscall.Signal {
	switch m {
	case StopSmart:
		return syscall.SIGTERM
	case StopImmediate:
		return syscall.SIGQUIT
	default:
		return syscall.SIGINT
	}
}

// Stop stops the server and returns when it is gone; its data stays. When the
// context ends first the server goes on stopping, and Stop may be called
// again with a harder mode. [ErrStopped] if no server runs.
func (c *Cluster) Stop(ctx context.Context, mode StopMode) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil || !c.server.running() {
		return fmt.Errorf("stop server: %w", ErrStopped)
	}
	if err := c.stop(ctx, mode); err != nil {
		return fmt.Errorf("stop server (%v): %w", mode, err)
	}
	return nil
}

func (c *Cluster) stop(ctx context.Context, mode StopMode) error {
	if err := c.server.cmd.Process.Signal(mode.signal()); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-c.server.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	c.log.Debug("server stopped", "port", c.port, "mode", mode.String())
	c.server = nil
	return c.guard.forget()
}

// Restart stops the server in the fast mode and starts it again.
func (c *Cluster) Restart(ctx context.Context) error {
	if err := c.Stop(ctx, StopFast); err != nil {
		return err
	}
	return c.StartAgain(ctx)
}

// endServer ends the server whatever state it is in.
func (c *Cluster) endServer() error {
	if c.server == nil {
		return nil
	}
	// A server that a test has frozen takes no signal but SIGKILL and SIGCONT.
	_ = c.server.cmd.Process.Signal(syscall.SIGCONT) // it may be gone already
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	if err := c.stop(ctx, StopImmediate); err == nil {
		return nil
	}
	return c.kill()
}

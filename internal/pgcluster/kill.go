package pgcluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Kill ends the postmaster and every process of the server with SIGKILL, as a
// power cut would end them but for what the kernel still writes to disk. It returns when all are
// gone and the next start is free; [ErrStopped] if no server runs.
func (c *Cluster) Kill() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil || !c.server.running() {
		return fmt.Errorf("kill server: %w", ErrStopped)
	}
	if err := c.kill(); err != nil {
		return fmt.Errorf("kill server: %w", err)
	}
	return nil
}

func (c *Cluster) kill() error {
	s := c.server
	family, err := freeze(s.cmd.Process)
	if err != nil {
		return err
	}
	for _, pid := range family {
		_ = syscall.Kill(pid, syscall.SIGKILL) // one that has just ended is what we want
	}
	_ = s.cmd.Process.Kill() // likewise
	if err := awaitGone(s, family); err != nil {
		return err
	}
	c.log.Debug("server killed", "port", c.port, "processes", len(family)+1)
	c.server = nil
	return errors.Join(c.clearRemains(), c.guard.forget())
}

// freeze stops the postmaster, so that it starts no further process, and
// returns its descendants.
func freeze(postmaster *os.Process) ([]int, error) {
	err := postmaster.Signal(syscall.SIGSTOP)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return nil, fmt.Errorf("freeze postmaster: %w", err)
	}
	return descendants(postmaster.Pid)
}

// awaitGone waits until the postmaster and its former children have ended.
func awaitGone(s *server, pids []int) error {
	deadline := time.Now().Add(killTimeout)
	select {
	case <-s.done:
	case <-time.After(killTimeout):
		return fmt.Errorf("wait for postmaster %d: still there after %v", s.cmd.Process.Pid, killTimeout)
	}
	for _, pid := range pids {
		for alive(pid) {
			if time.Now().After(deadline) {
				return fmt.Errorf("wait for process %d: still there after %v", pid, killTimeout)
			}
			time.Sleep(pollPause) // they are not our children: nobody tells us
		}
	}
	return nil
}

// clearRemains takes away what a killed postmaster leaves: its lock file, and
// the System V shared memory segment that the file names on its seventh line.
func (c *Cluster) clearRemains() error {
	name := filepath.Join(c.DataDir(), "postmaster.pid")
	text, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read lock file: %w", err)
	}
	if lines := strings.Split(string(text), "\n"); len(lines) > 6 {
		if f := strings.Fields(lines[6]); len(f) == 2 {
			// A few bytes that the next start would reuse: not worth an error.
			_ = exec.Command("ipcrm", "-m", f[1]).Run()
		}
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove lock file: %w", err)
	}
	return nil
}

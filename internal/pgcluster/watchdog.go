package pgcluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// watchdogScript reads process ids, one a line, each in place of the one
// before; an empty line means none. When its input ends the process that wrote
// to it has closed the cluster or is gone: the last process named is then shut down
// at once (SIGQUIT, to a postmaster an immediate shutdown, in which it kills
// stragglers after 5 s itself), or killed if that takes more than 10 s, and
// the directory removed.
const watchdogScript = `
trap '' HUP INT TERM
pid=
while read -r line; do pid=$line; done
if [ -n "$pid" ] && kill -QUIT "$pid" 2>/dev/null; then
	kill -CONT "$pid" 2>/dev/null
	tries=100
	while [ "$tries" -gt 0 ] && kill -0 "$pid" 2>/dev/null; do
		sleep 0.1
		tries=$((tries - 1))
	done
	kill -KILL "$pid" 2>/dev/null
fi
rm -rf -- "$1"
`

// watchdog is a shell that outlives this process by a moment, to end the
// server and remove its directory.
type watchdog struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser // this process holds the only write end
}

// watch starts a watchdog over a directory.
func watch(dir string) (*watchdog, error) {
	cmd := exec.Command("sh", "-c", watchdogScript, "tidemark-watchdog", dir)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// Neither output may be ours: whoever reads it would wait for the watchdog.
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("make watchdog's pipe: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start watchdog: %w", err), pipe.Close())
	}
	return &watchdog{cmd: cmd, pipe: pipe}, nil
}

// guard names the process that must not outlive this one.
func (w *watchdog) guard(p *os.Process) error { return w.tell(strconv.Itoa(p.Pid)) }

// forget says that the guarded process has ended.
func (w *watchdog) forget() error { return w.tell("") }

func (w *watchdog) tell(line string) error {
	if _, err := io.WriteString(w.pipe, line+"\n"); err != nil {
		return fmt.Errorf("tell watchdog: %w", err)
	}
	return nil
}

// release ends the watchdog, which finds nothing left to do.
func (w *watchdog) release() error {
	err := w.pipe.Close()
	if werr := w.cmd.Wait(); werr != nil {
		err = errors.Join(err, fmt.Errorf("watchdog: %w", werr))
	}
	return err
}

package torture

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/cli"
	"github.com/tidemark-pg/tidemark/internal/nettest"
)

// Daemons: the program itself, in processes that can be killed and frozen. Two
// of them share a permanent slot: one reads it, the other waits to take over.
// What they publish is read in the table of kept positions, and over HTTP.

const (
	daemonTable = "daemon_positions"
	// envProgram makes the test binary the program.
	envProgram = "TIDEMARK_TORTURE_PROGRAM"
)

// daemon is one of them, through all the processes that it is.
type daemon struct {
	w    *world
	args []string
	http *nettest.Relay
	said *lines

	mu sync.Mutex // protects what follows
	// program is started next; empty: the test binary.
	program string
	now     *process // nil: killed
	over    bool
}

// process is a life of a daemon.
type process struct {
	cmd   *exec.Cmd
	in    io.Closer // its end ends the process
	ended chan struct{}
}

// runProgram is the process: the program until standard input ends.
func runProgram() int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // nothing comes but its end
		cancel()
	}()
	return cli.Run(ctx, os.Args[1:], cli.System{Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv})
}

// addDaemons starts two processes that follow like base.
func (w *world) addDaemons(base follower.Config) {
	for range 2 {
		port := freePort(w.t)
		d := &daemon{w: w, http: relayTo(w.t, port), said: &lines{}}
		w.proxies = append(w.proxies, d.http)
		d.args = []string{"run", "-c", w.daemonConfig(base, port)}
		if err := d.start(); err != nil {
			w.t.Fatal(err)
		}
		w.daemons = append(w.daemons, d)
		w.t.Cleanup(func() {
			d.end()
			if w.t.Failed() {
				w.t.Logf("the daemon on port %d said at last:\n%s", port, d.said)
			}
		})
	}
}

// daemonConfig writes a configuration file; JSON is YAML.
func (w *world) daemonConfig(base follower.Config, port int) string {
	type object map[string]any
	var streams []object
	for _, s := range base.Streams {
		var tables []object
		for _, t := range s.Tables {
			tables = append(tables, object{"name": t.Name, "id_column": t.IDColumn, "instance_column": t.InstanceColumn})
		}
		one := object{"name": s.Name, "tables": tables, "direction": "ascending"}
		if s.Descending {
			one["direction"] = "descending"
		}
		if s.Sequence != "" {
			one["sequence"] = s.Sequence
		}
		if s.Allocation == follower.AllocationAnnounced {
			one["allocation"], one["writers"] = s.Allocation, s.Writers
		}
		streams = append(streams, one)
	}
	text, err := json.Marshal(object{
		"database":  object{"url": base.Database, "readers": base.Readers},
		"slot":      object{"name": "tidemark_daemon"},
		"published": object{"table": "public." + daemonTable},
		"streams":   streams,
		"http":      object{"listen": fmt.Sprintf("127.0.0.1:%d", port)},
		"log":       object{"level": "info", "format": "json"},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	file := filepath.Join(w.t.TempDir(), "tidemark.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return file
}

// freePort is one that nobody listens on, and none that connections are given.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 10_000 + rand.IntN(10_000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatal("no port is free")
	return 0
}

// start starts the daemon, unless it runs.
func (d *daemon) start() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.now != nil || d.over {
		return nil
	}
	p := &process{cmd: exec.Command(cmp.Or(d.program, os.Args[0]), d.args...), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), envProgram+"=1")
	p.cmd.Stderr = d.said
	if *logFlag {
		p.cmd.Stderr = io.MultiWriter(d.said, d.w.t.Output())
	}
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return fmt.Errorf("make pipe: %w", err)
	}
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start daemon: %w", err)
	}
	d.now, d.program = p, ""
	go d.supervise(p)
	return nil
}

// supervise starts the daemon again where it has ended for what it may end for:
// before it has followed anything, what the database lacks.
func (d *daemon) supervise(p *process) {
	err := p.cmd.Wait()
	close(p.ended)
	d.mu.Lock()
	killed := d.now != p
	if !killed {
		d.now = nil
	}
	d.mu.Unlock()
	if killed {
		return
	}
	_ = p.in.Close()
	if text := d.said.String(); !strings.Contains(text[strings.LastIndex(text, "\n{")+1:], "requirement not met") {
		d.w.fail("a daemon has ended: %v", err)
		return
	}
	d.w.pause(d.w.t.Context(), time.Second)
	if err := d.start(); err != nil {
		d.w.fail("%v", err)
	}
}

// kill ends the process as kill -9 does; program is what is started next.
func (d *daemon) kill(program string) {
	d.mu.Lock()
	p := d.now
	d.now, d.program = nil, program
	d.mu.Unlock()
	if p == nil {
		return
	}
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
	_ = p.in.Close()
}

// end is kill for good.
func (d *daemon) end() {
	d.mu.Lock()
	d.over = true
	d.mu.Unlock()
	d.kill("")
}

func (d *daemon) signal(s os.Signal) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.now == nil {
		return errNot
	}
	return d.now.cmd.Process.Signal(s)
}

// startDaemons starts all of them.
func (w *world) startDaemons() error {
	for _, d := range w.daemons {
		if err := d.start(); err != nil {
			return err
		}
	}
	return nil
}

// late reports rows that came below a position, which the daemon has told of.
func (d *daemon) late() {
	if n := d.said.forgive(); n > 0 {
		d.w.tally.late.Add(int64(n))
		d.w.fail("a daemon told of late rows, %d times:\n%s", n, d.said)
	}
}

// lines are the last bytes of what a process says, and how often it told of late
// rows.
type lines struct {
	mu   sync.Mutex // protects what follows
	text []byte
	late int
}

// lateRow is in every line that tells of late rows.
const lateRow = "late row: it was committed below"

// forgive forgets the late rows that were told of, and returns how often that was.
func (l *lines) forgive() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.late
	l.late = 0
	return n
}

const maxLines = 12 << 10

// Write never fails.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.late += bytes.Count(p, []byte(lateRow))
	l.text = append(l.text, p...)
	l.text = l.text[max(0, len(l.text)-maxLines):]
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// awaitKept returns once the daemons' table says that id is covered.
func (w *world) awaitKept(ctx context.Context, s *stream, id int64) error {
	if len(w.daemons) == 0 {
		return nil
	}
	var x session
	defer x.close()
	for {
		conn, _, err := x.get(ctx, w.primary.Load())
		var p int64
		if err == nil {
			err = conn.QueryRow(ctx, "SELECT coalesce(max(abs(position)), 0) FROM "+daemonTable+" WHERE stream = $1", s.name).Scan(&p)
		}
		if err == nil && p >= id {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("the daemons have published %d of %d: %w", p, id, ctx.Err())
		}
		w.pause(ctx, pollPause)
	}
}

// daemonKinds are faults of these processes.
func daemonKinds() []kind {
	there := func(w *world) bool { return len(w.daemons) > 0 }
	return []kind{
		{name: "kill -9 daemon", beside: true, often: true, fits: there, bring: func(ctx context.Context, w *world, rnd *rand.Rand) error {
			d := w.daemons[rnd.IntN(len(w.daemons))]
			d.kill("")
			w.pause(ctx, some(rnd, 2*time.Second))
			return d.start()
		}},
		{name: "both daemons killed", fits: there, bring: func(_ context.Context, w *world, _ *rand.Rand) error {
			for _, d := range w.daemons {
				d.kill("")
			}
			return w.startDaemons()
		}},
		{name: "daemon frozen", fits: there, bring: func(ctx context.Context, w *world, rnd *rand.Rand) error {
			d := w.daemons[rnd.IntN(len(w.daemons))]
			if err := d.signal(syscall.SIGSTOP); err != nil {
				return fmt.Errorf("freeze daemon: %w", err)
			}
			w.pause(ctx, some(rnd, 4*time.Second))
			return d.signal(syscall.SIGCONT)
		}},
	}
}

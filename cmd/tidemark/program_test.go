package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what should come at once.
const patience = 20 * time.Second

// program is a running or ended process of the program.
type program struct {
	t              *testing.T
	args           []string
	cmd            *exec.Cmd
	stdout, stderr output
	ended          chan struct{}
}

// start starts the program. It is killed at the end of the test, and nothing
// that it said may hold the secret.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	return startWith(t, nil, args...)
}

// startWith is start with more environment variables.
func startWith(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, args: args, cmd: exec.Command(exe, args...), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		close(p.ended)
	}()
	t.Cleanup(func() { p.kill(); p.review() })
	return p
}

// run runs the program to its end.
func run(t *testing.T, args ...string) *program {
	t.Helper()
	p := start(t, args...)
	p.exits()
	return p
}

// review looks through all that the program said.
func (p *program) review() {
	all := p.stdout.String() + p.stderr.String()
	if strings.Contains(all, secret) {
		p.t.Errorf("tidemark %v shows the password:\n%s", p.args, all)
	}
	if strings.Contains(all, "panic:") || strings.Contains(all, "DATA RACE") {
		p.t.Errorf("tidemark %v:\n%s", p.args, all)
	}
	if p.t.Failed() {
		p.t.Logf("tidemark %v said:\n%s%s", p.args, p.stdout.String(), p.stderr.String())
	}
}

func (p *program) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signal %s: %v", s, err)
	}
}

// kill ends the program the hard way, and waits for its end.
func (p *program) kill() {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Error(err)
	}
	<-p.ended
}

// exits waits for the end and returns the exit code, -1 for a signal's.
func (p *program) exits() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("tidemark %v has not ended within %s", p.args, patience)
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *program) succeeds() *program {
	p.t.Helper()
	if code := p.exits(); code != 0 || p.stderr.String() != "" {
		p.t.Fatalf("tidemark %v: exit code %d: %s", p.args, code, p.stderr.String())
	}
	return p
}

// fails wants an exit code and exactly one line that holds all the words.
func (p *program) fails(code int, words ...string) {
	p.t.Helper()
	got := p.exits()
	text := p.stderr.String()
	if got != code {
		p.t.Errorf("exit code %d, want %d: %s", got, code, text)
	}
	if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
		p.t.Errorf("not exactly one line:\n%s", text)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			p.t.Errorf("no %q in: %s", w, text)
		}
	}
}

// log waits for a log line with the message, and returns its attributes.
func (p *program) log(message string) map[string]any {
	p.t.Helper()
	var found map[string]any
	p.stderr.await(p.t, message, func(line string) bool {
		found = nil
		return json.Unmarshal([]byte(line), &found) == nil && found["msg"] == message
	})
	return found
}

// daemon is a program that serves HTTP, and where.
type daemon struct {
	*program
	url string
}

// startDaemon starts `tidemark run` and waits for its first log line.
func startDaemon(t *testing.T, file string) *daemon {
	t.Helper()
	p := start(t, "run", "-c", file)
	return &daemon{p, "http://" + p.log("starting")["listen"].(string)}
}

// output is what a process writes; it can be waited for.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed at the next write
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more != nil {
		close(o.more)
		o.more = nil
	}
	return o.text.Write(b)
}

func (o *output) String() string {
	text, _ := o.now()
	return text
}

func (o *output) now() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more == nil {
		o.more = make(chan struct{})
	}
	return o.text.String(), o.more
}

// await waits for a line that fulfils the condition.
func (o *output) await(t *testing.T, what string, ok func(line string) bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		text, more := o.now()
		for line := range strings.Lines(text) {
			if strings.HasSuffix(line, "\n") && ok(line) {
				return
			}
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("no %q within %s in:\n%s", what, patience, text)
		}
	}
}

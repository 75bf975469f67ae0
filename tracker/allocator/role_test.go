package allocator

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The variables make the test program play a process of its own.
const (
	roleVariable = "TIDEMARK_ALLOCATOR_ROLE"
	urlVariable  = "TIDEMARK_ALLOCATOR_URL"
)

// playRole opens an allocator as "a" and plays the role; else it says what id it
// drew, inserts its row, and waits to be killed.
func playRole() error {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, os.Getenv(urlVariable))
	if err != nil {
		return err
	}
	a, err := Open(ctx, pool, Config{
		Stream: "test_stream", Instance: "a", Sequence: "foobar_seq",
		IdleInterval: 20 * time.Millisecond, // whatever may be announced is
	})
	if err != nil {
		return err
	}
	switch os.Getenv(roleVariable) {
	case "hold":
		fmt.Println("held")
		select {}
	case "twin", "bound twin":
		return playTwin(ctx, pool, a)
	case "between":
		return playBetween(ctx, pool, a)
	}
	return a.With(ctx, 1, func(ctx context.Context, ids []int64) error {
		fmt.Println(ids[0])
		// In one message: the server has all that it needs when the client dies.
		_, err := pool.Exec(ctx, "INSERT INTO foobar VALUES ($1, 'a')", pgx.QueryExecModeSimpleProtocol, ids[0])
		return err
	})
}

// companion is the test program as a process of its own, in a role.
type companion struct {
	s    *site
	cmd  *exec.Cmd
	in   io.WriteCloser
	said chan string // its lines; closed when it has ended
}

// companion starts one; it is killed when the test ends.
func (s *site) companion(role string) *companion {
	s.t.Helper()
	program, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	p := &companion{s: s, cmd: exec.Command(program), said: make(chan string, 100)}
	p.cmd.Env = append(os.Environ(), roleVariable+"="+role, urlVariable+"="+s.cluster.URL("", "")+"&application_name=twin")
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		s.t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(p.said)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.said <- lines.Text()
		}
	}()
	s.t.Cleanup(p.kill)
	return p
}

// hear returns the next line.
func (p *companion) hear() string {
	p.s.t.Helper()
	select {
	case line, more := <-p.said:
		if !more {
			p.s.t.Fatal("the process has ended")
		}
		return line
	case <-time.After(2 * patience):
		p.s.t.Fatal("the process says nothing")
	}
	return ""
}

// number is the next line as a number.
func (p *companion) number() int64 {
	p.s.t.Helper()
	line := p.hear()
	n, err := strconv.ParseInt(line, 10, 64)
	if err != nil {
		p.s.t.Fatalf("the process says %q", line)
	}
	return n
}

// tell lets the process go on that waits for a line.
func (p *companion) tell() {
	p.s.t.Helper()
	if _, err := io.WriteString(p.in, "\n"); err != nil {
		p.s.t.Fatal(err)
	}
}

func (p *companion) signal(sig os.Signal) {
	p.s.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.s.t.Fatal(err)
	}
}

// kill kills the process, and waits until it has gone.
func (p *companion) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill() // may have ended
		for range p.said {       // the pipe must be read to its end first
			continue
		}
		_ = p.cmd.Wait() // says that it was killed
	}
}

// crash ends an allocator as the death of its process would.
func (s *site) crash(a *Allocator) {
	s.t.Helper()
	a.fail(ErrClosed)
	a.end(ErrClosed)
	<-a.looping
	a.background.Wait()
	a.lease.close()
}

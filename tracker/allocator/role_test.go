package allocator

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The variables make the test program play a process of its own.
const (
	roleVariable = "TIDEMARK_ALLOCATOR_ROLE"
	urlVariable  = "TIDEMARK_ALLOCATOR_URL"
)

// playRole opens an allocator as "a". It then says what id it drew, if it is to
// draw one, and inserts its row; and waits to be killed.
func playRole() error {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, os.Getenv(urlVariable))
	if err != nil {
		return err
	}
	a, err := Open(ctx, pool, Config{Stream: "test_stream", Instance: "a", Sequence: "foobar_seq"})
	if err != nil {
		return err
	}
	if os.Getenv(roleVariable) == "hold" {
		fmt.Println("held")
		select {}
	}
	return a.With(ctx, 1, func(ctx context.Context, ids []int64) error {
		fmt.Println(ids[0])
		// In one message: the server has all that it needs when the client dies.
		_, err := pool.Exec(ctx, "INSERT INTO foobar VALUES ($1, 'a')", pgx.QueryExecModeSimpleProtocol, ids[0])
		return err
	})
}

// process starts the test program in a role and returns what it says first. The
// returned function kills it; it is killed in any case when the test ends.
func (s *site) process(role string) (said string, kill func()) {
	s.t.Helper()
	program, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	c := exec.Command(program)
	c.Env = append(os.Environ(), roleVariable+"="+role, urlVariable+"="+s.cluster.URL("", "")+"&application_name=twin")
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	killed := false
	kill = func() {
		if !killed {
			killed = true
			_ = c.Process.Kill() // may have ended
			_ = c.Wait()         // says that it was killed
		}
	}
	s.t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.t.Fatalf("process %q said nothing: %v", role, err)
	}
	return strings.TrimSpace(line), kill
}

// crash ends an allocator as the death of its process would.
func (s *site) crash(a *Allocator) {
	s.t.Helper()
	a.fail(ErrClosed)
	a.end(ErrClosed)
	<-a.looping
	a.background.Wait()
	a.lease.close(s.t.Context())
}

package pgcluster_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/internal/pgcluster"
)

// envChild makes this test program a process that starts a cluster, tells of
// it, and waits to be killed.
const envChild = "TIDEMARK_PGCLUSTER_CHILD"

func child() int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgcluster.Start(ctx, pgcluster.Options{})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(c.PID(), c.DataDir())
	<-ctx.Done()
	return 0
}

// TestClusterDiesWithItsProcess holds the promise of the package comment: even
// kill -9 of the process that started it leaves neither server nor files.
func TestClusterDiesWithItsProcess(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envChild+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	var dir string
	if _, err := fmt.Sscan(line, &pid, &dir); err != nil {
		t.Fatalf("child said %q", strings.TrimSpace(line))
	}
	if !pgcluster.Alive(pid) {
		t.Fatalf("postmaster %d is not alive before the kill", pid)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed, as it says

	await(t, "the postmaster to end", func() bool { return !pgcluster.Alive(pid) })
	await(t, "the directory to go", func() bool {
		_, err := os.Stat(dir)
		return errors.Is(err, os.ErrNotExist)
	})
}

// await looks again and again: strangers' processes and files tell nobody.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30s in vain for %s", what)
		}
	}
}

package demo_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidemark-pg/tidemark/internal/demo"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestDemoEndsWithAVerdict(t *testing.T) {
	var out bytes.Buffer
	err := demo.Run(t.Context(), demo.Options{Duration: 3 * time.Second, Out: &out})
	t.Logf("\n%s", &out)
	if err != nil {
		t.Fatal(err)
	}
	number := func(pattern string) int {
		t.Helper()
		found := regexp.MustCompile(pattern).FindSubmatch(out.Bytes())
		if found == nil {
			t.Fatalf("%s is not in it", pattern)
		}
		n, err := strconv.Atoi(string(found[1]))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := number(`(?m)^verdict: rows read (\d+), rows missed 0\n\z`); n < 100 {
		t.Errorf("read %d rows", n)
	}
	if n := number(`the naive reader never saw (\d+) of`); n == 0 {
		t.Error("the naive reader missed nothing: nothing was shown")
	}
	if !regexp.MustCompile(`(?m)^ +2s +\d+ +\d+ +\d+ +\d+  .*writer: `).Match(out.Bytes()) {
		t.Error("nobody is named who holds the position back")
	}
}

// cancelAt ends a context once a text has been written.
type cancelAt struct {
	text   string
	cancel context.CancelFunc
	bytes.Buffer
}

func (c *cancelAt) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(c.text)) {
		c.cancel()
	}
	return c.Buffer.Write(p)
}

func TestDemoIsStopped(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	for _, d := range []string{dir, filepath.Dir(dir)} { // the server's user must get there
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range []string{"starting", "time", "1s"} {
		ctx, cancel := context.WithCancel(t.Context())
		out := &cancelAt{text: at, cancel: cancel}
		if err := demo.Run(ctx, demo.Options{Out: out}); err != nil {
			t.Errorf("stopped at %q: %v", at, err)
		}
		if !bytes.HasSuffix(out.Bytes(), []byte("no verdict\n")) {
			t.Errorf("stopped at %q: %s", at, out)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("stopped at %q: left %v, %v", at, left, err)
		}
	}
}

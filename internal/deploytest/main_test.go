package deploytest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/tidemark-pg/tidemark/internal/pgcluster"
)

// deploy is the folder under test, seen from here.
const deploy = "../../deploy"

// programVariable tells the tests where the program is.
const programVariable = "TIDEMARK_DEPLOYTEST_PROGRAM"

// buildStatic is what the Dockerfile runs; a test holds it to that.
const buildStatic = "go build -trimpath -ldflags=-s -o tidemark ./cmd/tidemark"

// TestMain builds the program once, as the image holds it.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "tidemark-deploy-*")
	if err == nil {
		err = build(filepath.Join(dir, "tidemark"))
	}
	if err == nil {
		err = os.Setenv(programVariable, filepath.Join(dir, "tidemark"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir) // a left-over program harms nobody
		os.Exit(code)
	}))
}

func build(to string) error {
	args := strings.Fields(strings.Replace(buildStatic, "-o tidemark", "-o "+to, 1))
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", buildStatic, err, out)
	}
	return nil
}

// read returns a file of deploy/.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deploy, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// write writes a file of this test and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// tidemark runs the program to its end, and returns all that it said.
func tidemark(t *testing.T, env []string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Getenv(programVariable), args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// succeeds is tidemark where it must exit with 0.
func succeeds(t *testing.T, args ...string) string {
	t.Helper()
	out, err := tidemark(t, nil, args...)
	if err != nil {
		t.Fatalf("tidemark %v: %v\n%s", args, err, out)
	}
	return out
}

// psql runs a script as a superuser.
func psql(t *testing.T, c *pgcluster.Cluster, database, script string, args ...string) (string, error) {
	t.Helper()
	program, err := exec.LookPath("psql")
	if err != nil {
		program = filepath.Join(c.Binaries().Dir, "psql")
	}
	cmd := exec.CommandContext(t.Context(), program, append([]string{"-X", "-q", "-d", c.URL("", database)}, args...)...)
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// mustPsql is psql where it must succeed.
func mustPsql(t *testing.T, c *pgcluster.Cluster, database, script string, args ...string) {
	t.Helper()
	if out, err := psql(t, c, database, script, args...); err != nil {
		t.Fatalf("psql %v: %v\n%s", args, err, out)
	}
}

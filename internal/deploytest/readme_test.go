package deploytest_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// blocks are the fenced blocks of one language on a page, without indentation.
func blocks(page, language string) (found []string) {
	for _, m := range regexp.MustCompile("(?ms)^( *)```"+language+"\n(.*?)^ *```$").FindAllStringSubmatch(page, -1) {
		found = append(found, regexp.MustCompile("(?m)^"+m[1]).ReplaceAllString(m[2], ""))
	}
	return found
}

// surroundings are what a snippet of the README may suppose to be there.
const surroundings = `package snippets

import (
	"context"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/remote"
	"github.com/tidemark-pg/tidemark/tracker"
	"github.com/tidemark-pg/tidemark/tracker/allocator"
)

var (
	ctx      context.Context
	db, pool *pgxpool.Pool
	ids      *allocator.Allocator
	orders   *follower.Stream
	_        = os.Getenv
	_        = remote.New
	_        tracker.Move
)
`

// Every snippet of the README compiles, within a function. What it leaves to
// the reader may be unused.
func TestSnippetsCompile(t *testing.T) {
	t.Parallel()
	found := blocks(read(t, "../README.md"), "go")
	if len(found) < 4 {
		t.Errorf("only %d snippets", len(found))
	}
	text := surroundings
	for _, snippet := range found {
		text += "\nfunc _() error {\n" + snippet + "\nreturn nil\n}\n"
	}
	folder, err := filepath.Abs("snippets")
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(folder, "snippets.go"): write(t, "snippets.go", text)}})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-gcflags=-e", "-overlay", write(t, "overlay.json", string(overlay)), "./snippets")
	out, err := cmd.CombinedOutput()
	if err == nil {
		return
	}
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "#") && !strings.Contains(line, "declared and not used") {
			t.Errorf("%s", line)
		}
	}
}

// walk is a newcomer who follows the README.
type walk struct {
	dir     string
	env     []string
	replace *strings.Replacer
}

// newWalk makes a server for the README's address, with its table, and a
// folder in which its files lie where they lie in a checkout.
func newWalk(t *testing.T, page string) *walk {
	t.Helper()
	c := pgtest.Start(t)
	mustPsql(t, c, "", "CREATE DATABASE app")
	mustPsql(t, c, "app", blocks(page, "sql")[0])
	address := freeAddress(t)
	w := &walk{dir: t.TempDir(), env: environment(t, c)}
	w.replace = strings.NewReplacer(
		"postgres@127.0.0.1:5432/app", strings.TrimPrefix(c.URL("", "app"), "postgres://"),
		"tidemark@127.0.0.1:5432/app", strings.TrimPrefix(c.URL("tidemark", "app"), "postgres://"),
		"status", "status --url http://"+address, "wait", "wait --url http://"+address, "localhost:8474", address,
	)
	for _, link := range []string{"bin/tidemark", "deploy"} {
		target, err := filepath.Abs(deploy)
		if link != "deploy" {
			target = os.Getenv(programVariable)
		}
		if err == nil {
			err = os.MkdirAll(filepath.Join(w.dir, filepath.Dir(link)), 0o700)
		}
		if err == nil {
			err = os.Symlink(target, filepath.Join(w.dir, link))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	_, file, _ := strings.Cut(page, "$ cat tidemark.yaml\n")
	file, _, _ = strings.Cut(file, "```")
	file = w.replace.Replace(regexp.MustCompile("(?m)^   ").ReplaceAllString(file, "")) + "http: {listen: '" + address + "'}\n"
	if err := os.WriteFile(filepath.Join(w.dir, "tidemark.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// environment has the programs of the server in its path.
func environment(t *testing.T, c *pgcluster.Cluster) []string {
	t.Helper()
	return append(os.Environ(), "PATH="+os.Getenv("PATH")+string(filepath.ListSeparator)+c.Binaries().Dir)
}

// start runs the daemon until the test ends.
func (w *walk) start(t *testing.T, command string) {
	t.Helper()
	daemon := exec.Command("sh", "-c", "exec "+command)
	daemon.Dir, daemon.Env = w.dir, w.env
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Signal(os.Interrupt) // it may have ended
		if err := daemon.Wait(); err != nil {
			t.Errorf("%s: %v", command, err)
		}
	})
}

// run runs a command to its end.
func (w *walk) run(t *testing.T, command string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir, cmd.Env = w.dir, w.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// answered waits until the daemon answers.
func (w *walk) answered(t *testing.T) {
	t.Helper()
	status := w.replace.Replace("bin/tidemark status")
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", status)
		cmd.Dir = w.dir
		if cmd.Run() == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the daemon does not answer")
		}
	}
}

// The five minutes of the README go as they are printed, from the first check,
// which fails for the publication alone, to the rows.
func TestFiveMinutes(t *testing.T) {
	t.Parallel()
	page := read(t, "../README.md")
	section := between(t, page, "## Five minutes", "Try it:")
	w := newWalk(t, page)
	ran := 0
	for _, m := range regexp.MustCompile(`(?m)^ *\$ (.+?)(?: +#.*)?$`).FindAllStringSubmatch(section, -1) {
		command := w.replace.Replace(m[1])
		ran++
		switch {
		case command == "make build", command == "cat tidemark.yaml", strings.Contains(command, "watch"), strings.Contains(command, "-sN"):
			ran-- // built and written above; the others never end
		case strings.HasPrefix(command, "export "):
			w.env = append(w.env, strings.TrimPrefix(command, "export "))
		case strings.HasPrefix(command, "unset "):
			w.env = append(w.env, strings.TrimPrefix(command, "unset ")+"=")
		case ran == 2:
			w.run(t, command+" 2>&1 | grep '^tidemark check: 1 of .* publication tidemark does not exist'")
		case strings.Contains(command, " run "):
			w.start(t, command)
			w.answered(t)
		case strings.Contains(command, " tail "):
			w.run(t, command+` --follow=false | grep '^{"id":1,"instance":"a"'`)
		case strings.HasPrefix(command, "curl"):
			w.run(t, "command -v curl >/dev/null || exit 0; "+command+` | grep '"position":1'`)
		default:
			w.run(t, command)
		}
	}
	if ran < 12 {
		t.Errorf("only %d commands found", ran)
	}
}

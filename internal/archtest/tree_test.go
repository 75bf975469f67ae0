package archtest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// topLevel is what may lie at the top of the tree, beside names that begin
// with a dot: the top is the first thing that a reader sees.
func topLevel() []string {
	return []string{
		"go.mod", "go.sum", "doc.go", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "Makefile",
		"publication.sql", "cmd", "follower", "decoder", "tracker", "deploy", "internal",
	}
}

// machinePath is a path that exists on somebody's machine only.
var machinePath = regexp.MustCompile("(^|[\\s\"'`=:(,])/(work|root|tmp|home/[a-z]+|Users/[A-Za-z]+)/")

func TestTopLevelIsFamiliar(t *testing.T) {
	t.Parallel()
	for _, path := range tracked(t) {
		if !allowedTop(path) {
			t.Errorf("%s: the top level holds only what every reader looks for: %v", path, topLevel())
		}
	}
}

func allowedTop(path string) bool {
	top, _, _ := strings.Cut(path, "/")
	return strings.HasPrefix(top, ".") || slices.Contains(topLevel(), top)
}

func TestNoMachinePaths(t *testing.T) {
	t.Parallel()
	for _, path := range tracked(t) {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
		if os.IsNotExist(err) {
			continue // deleted, and not yet committed so
		}
		if err != nil {
			t.Fatal(err)
		}
		if !utf8.Valid(text) {
			continue // a picture
		}
		for i, line := range bytes.Split(text, []byte("\n")) {
			if m := machinePath.Find(line); m != nil {
				t.Errorf("%s:%d: %q is a path of one machine: it means nothing elsewhere", path, i+1, m)
			}
		}
	}
}

// tracked lists the files that belong to the project: what git knows, or,
// in an unpacked archive, everything there is.
func tracked(t *testing.T) []string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root, ".git")); err != nil {
		return walked(t)
	}
	cmd := exec.Command("git", "-c", "safe.directory=*", "ls-files", "-z")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	return strings.Split(strings.TrimRight(string(out), "\x00"), "\x00")
}

func walked(t *testing.T) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == filepath.Join(root, "bin") || path == filepath.Join(root, ".cache") {
			return filepath.SkipDir
		}
		rel, err := filepath.Rel(root, path)
		if !d.IsDir() {
			all = append(all, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestStrayFilesAndPathsAreFound(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"go.mod": true, "cmd/tidemark/main.go": true, ".github/images/a.png": true,
		"notes.txt": false, "docs/a.md": false, "scripts/x.sh": false,
	} {
		if got := allowedTop(path); got != want {
			t.Errorf("%s allowed: %v, want %v", path, got, want)
		}
	}
	slash := "/"
	for line, want := range map[string]bool{
		"cd " + slash + "work/main": true, `"` + slash + `tmp/x"`: true, slash + "home/me/x": true, "=" + slash + "root/x": true,
		"mountPath: /tmp": false, "https://example.org/work/x": false, "a/tmp/b": false,
	} {
		if got := machinePath.MatchString(line); got != want {
			t.Errorf("machine path in %q: %v, want %v", line, got, want)
		}
	}
}

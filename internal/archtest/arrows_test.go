package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tidemark-pg/tidemark"

// arrow forbids imports. Packages are given by path, those of this module
// from its top: "./tracker", and "." for the root package. "/..." at the end
// takes in what is below; "*" stands for anything. Packages that support tests
// are named like pgtest.
type arrow struct {
	from   []string
	except []string
	banned []string
	direct bool // only what the package itself imports; else all it depends on
	why    string
}

var (
	driver = []string{"github.com/jackc/pgx/v5/...", "github.com/jackc/pglogrepl/..."}

	// what only tests may import
	forTests = []string{
		"testing/...", "go.uber.org/goleak/...", "pgregory.net/rapid/...", "github.com/google/go-cmp/...",
		"github.com/cockroachdb/datadriven/...", "github.com/chromedp/...", "net/http/httptest", "./*test",
	}
)

// arrows are the rules, the strictest first.
func arrows() []arrow {
	return []arrow{
		{
			from:   []string{"./tracker"},
			banned: append([]string{"./decoder/...", "./follower/...", "./internal/...", "os", "net", "net/http"}, driver...),
			direct: true,
			why:    "the tracker is pure state: no input or output, and nothing above it",
		},
		{
			from:   []string{"./tracker"},
			banned: driver,
			why:    "whoever tracks positions gets no database driver that he did not ask for",
		},
		{
			from:   []string{"./tracker"},
			banned: []string{"time"},
			direct: true,
			why:    "the tracker has no clock: time is for those who call it",
		},
		{
			from:   []string{"./decoder/..."},
			banned: append([]string{"./tracker/...", "./follower/...", "./internal/...", "net", "net/http"}, driver...),
			why:    "the decoder turns bytes into events and knows neither who uses them nor where the bytes come from",
		},
		{
			from:   []string{"./tracker/..."},
			banned: []string{"./decoder/...", "./follower/...", "./internal/..."},
			why:    "imports point one way: follower to tracker",
		},
		{
			from:   []string{"./follower/..."},
			banned: []string{"./internal/...", "./cmd/..."},
			why:    "imports point one way: internal to follower, so that an embedder gets the library alone",
		},
		{
			from:   []string{"./tracker/...", "./decoder/...", "./follower/..."},
			except: []string{"./follower/remote/..."},
			banned: []string{"net/http"},
			why:    "only follower/remote speaks HTTP; an embedder of another package gets no net/http that he did not ask for",
		},
		{
			from:   []string{"./..."},
			except: []string{"./cmd/...", "./internal/daemon/..."},
			banned: []string{"."},
			direct: true,
			why:    "the root package documents the module; only cmd and internal/daemon use what it embeds",
		},
		{
			from:   []string{"./..."},
			banned: []string{"./cmd/..."},
			why:    "a program is the end of every arrow",
		},
		{
			from:   []string{"./..."},
			except: []string{"./*test"},
			banned: forTests,
			why:    "what only tests need stays out of programs",
		},
	}
}

// matches tells whether a package path is meant by one of the patterns.
func matches(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if begin, end, ok := strings.Cut(p, "*"); ok {
			return strings.HasPrefix(path, begin) && strings.HasSuffix(path, end)
		}
		stem, below := strings.CutSuffix(p, "/...")
		return path == stem || below && strings.HasPrefix(path, stem+"/")
	})
}

// listed is what go list tells of a package.
type listed struct {
	ImportPath, Name string
	Imports, Deps    []string
}

// relative is a package path as arrows give it.
func relative(path string) string {
	if below, ok := strings.CutPrefix(path, module); ok {
		return "." + below
	}
	return path
}

// broken returns the forbidden imports of a package.
func (a arrow) broken(p listed) []string {
	from := relative(p.ImportPath)
	if !matches(from, a.from) || matches(from, a.except) {
		return nil
	}
	imports := p.Deps
	if a.direct {
		imports = p.Imports
	}
	var bad []string
	for _, path := range imports {
		if to := relative(path); matches(to, a.banned) {
			bad = append(bad, from+" imports "+to)
		}
	}
	return bad
}

func TestImportsPointOneWay(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		for _, a := range arrows() {
			report(t, a.why, a.broken(p))
		}
	}
}

// list asks the go command for every package of the module.
func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Imports,Deps", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, &stderr)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("read go list: %v", err)
		}
		all = append(all, p)
	}
}

func TestArrowsCanBreak(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"tracker github.com/jackc/pgx/v5", "tracker " + module + "/decoder", "tracker time",
		"tracker/allocator " + module + "/decoder", "decoder github.com/jackc/pglogrepl", "decoder " + module + "/tracker",
		"follower " + module + "/internal/web", "follower/tail net/http", "internal/web " + module,
		"internal/web " + module + "/cmd/tidemark", "internal/web testing", "follower go.uber.org/goleak",
		"internal/demo " + module + "/internal/pgcluster/pgtest", "internal/web net/http/httptest",
	} {
		if !anyBroken(bad) {
			t.Errorf("no arrow forbids %s", bad)
		}
	}
	for _, good := range []string{
		"tracker/allocator github.com/jackc/pgx/v5", "follower " + module + "/follower/internal/gate",
		"follower " + module + "/decoder", "follower/remote net/http", "internal/daemon " + module,
		"cmd/tidemark " + module, "internal/pgcluster/pgtest testing", "tracker errors",
	} {
		if anyBroken(good) {
			t.Errorf("an arrow forbids %s", good)
		}
	}
}

// anyBroken takes "package import".
func anyBroken(edge string) bool {
	from, to, _ := strings.Cut(edge, " ")
	p := listed{ImportPath: module + "/" + from, Imports: []string{to}, Deps: []string{to}}
	return slices.ContainsFunc(arrows(), func(a arrow) bool { return len(a.broken(p)) > 0 })
}

package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// root is the top of the module, seen from here.
const root = "../.."

// source is one parsed Go file.
type source struct {
	path string // below root, with slashes
	fset *token.FileSet
	file *ast.File
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// dir is the directory of the file below root, "." at the top.
func (s source) dir() string { return filepath.ToSlash(filepath.Dir(s.path)) }

// at says where something is.
func (s source) at(n ast.Node) string {
	p := s.fset.Position(n.Pos())
	p.Filename = s.path
	return p.String()
}

// lines is how many lines a node spans.
func (s source) lines(n ast.Node) int { return s.line(n.End()) - s.line(n.Pos()) + 1 }

func (s source) line(p token.Pos) int { return s.fset.Position(p).Line }

// parse parses text as the file of that path.
func parse(path, text string) (source, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
	return source{path: path, fset: fset, file: file}, err
}

// sources parses every Go file of the module.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		s, err := parse(filepath.ToSlash(rel), string(text))
		all = append(all, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no Go file found: the checks would pass without looking")
	}
	return all
}

// byPackage groups files that are not tests by directory.
func byPackage(all []source) map[string][]source {
	packages := map[string][]source{}
	for _, s := range all {
		if !s.isTest() {
			packages[s.dir()] = append(packages[s.dir()], s)
		}
	}
	return packages
}

// report fails the test with each violation and the reason for the rule.
func report(t *testing.T, reason string, violations []string) {
	t.Helper()
	for _, v := range violations {
		t.Errorf("%s: %s", v, reason)
	}
}

// expect checks that a checker finds so many violations in a piece of code:
// that it can fail.
func expect(t *testing.T, check func(source) []string, want int, code string) {
	t.Helper()
	s, err := parse("p/p.go", "package p\n"+code)
	if err != nil {
		t.Fatal(err)
	}
	if got := check(s); len(got) != want {
		t.Errorf("%d violations %q, want %d, in:\n%s", len(got), got, want, code)
	}
}

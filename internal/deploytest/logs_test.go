package deploytest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark-pg/tidemark/follower/slots"
)

// logging are the folders whose log lines an operator sees.
func logging() []string {
	return []string{"follower", "internal/daemon", "internal/web", "tracker/allocator"}
}

// parsed are the files of the module below some folders, without tests.
func parsed(t *testing.T, folders ...string) (files []*ast.File) {
	t.Helper()
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join("../..", folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			files = append(files, file)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// texts are the string literals among expressions.
func texts(exprs []ast.Expr) (found []string) {
	for _, e := range exprs {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil {
				found = append(found, s)
			}
		}
	}
	return found
}

// logLine is the message and level of a call that logs; "" for others. Lines
// of the level debug are for developers.
func logLine(call *ast.CallExpr) (message, level string) {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	name, args := strings.TrimSuffix(method.Sel.Name, "Context"), call.Args
	switch {
	case name == "say":
		level = "warn"
	case slices.Contains([]string{"Info", "Warn", "Error"}, name) && len(args) > 0 && !isTest(method.X):
		level = strings.ToLower(name)
	default:
		return "", ""
	}
	for i, arg := range args[:min(2, len(args))] {
		if s := texts([]ast.Expr{arg}); len(s) == 1 && (i == 0 || name != method.Sel.Name) {
			return s[0], level
		}
	}
	return "", ""
}

// eventLine is the line of an event{slog.LevelInfo, "…", …}, as the daemon tells
// of slots.
func eventLine(lit *ast.CompositeLit) (message, level string) {
	kind, ok := lit.Type.(*ast.Ident)
	if !ok || kind.Name != "event" || len(lit.Elts) < 2 {
		return "", ""
	}
	of, ok := lit.Elts[0].(*ast.SelectorExpr)
	text, isText := lit.Elts[1].(*ast.BasicLit)
	if !ok || !isText {
		return "", ""
	}
	return said(text), strings.ToLower(strings.TrimPrefix(of.Sel.Name, "Level"))
}

// isTest tells a testing.T, which has an Error too.
func isTest(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && (id.Name == "t" || id.Name == "tb")
}

// Every line that can be logged is on the page, with its level, and the page
// has no others.
func TestLogLinesAreOnThePage(t *testing.T) {
	t.Parallel()
	onPage := map[string]string{}
	section := between(t, read(t, "operations.md"), "## Log lines", "## Errors")
	for _, m := range regexp.MustCompile("(?m)^\\| `(.+?)` \\| (\\w+) \\| .+ \\|$").FindAllStringSubmatch(section, -1) {
		onPage[m[1]] = m[2]
	}
	inCode := map[string]string{}
	for _, file := range parsed(t, logging()...) {
		ast.Inspect(file, func(n ast.Node) bool {
			message, level := "", ""
			switch n := n.(type) {
			case *ast.CallExpr:
				message, level = logLine(n)
			case *ast.CompositeLit:
				message, level = eventLine(n)
			}
			if message != "" {
				inCode[message] = level
			}
			return true
		})
	}
	if len(inCode) < 30 || inCode["slot is well again"] == "" {
		t.Fatalf("only %d lines found in the code", len(inCode))
	}
	for _, v := range slots.Verdicts() { // the daemon puts these lines together
		if v != slots.VerdictOK {
			inCode["slot is "+strings.ReplaceAll(string(v), "_", " ")] = map[bool]string{true: "error", false: "warn"}[v == slots.VerdictLost]
		}
	}
	for message, level := range inCode {
		if onPage[message] != level {
			t.Errorf("deploy/operations.md does not tell of the line %q of level %s (it says %q): say what it means and what to do", message, level, onPage[message])
		}
	}
	for message := range onPage {
		if _, ok := inCode[message]; !ok && !strings.Contains(message, "…") {
			t.Errorf("deploy/operations.md tells of the line %q, which nothing logs any more", message)
		}
	}
}

func between(t *testing.T, text, from, to string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, from)
	section, _, ended := strings.Cut(rest, to)
	if !found || !ended {
		t.Fatalf("no section from %q to %q", from, to)
	}
	return section
}

// What the pages quote of errors and of changing lines is what the code says:
// each of its parts between the dots is there, in one text.
func TestQuotesAreInTheCode(t *testing.T) {
	t.Parallel()
	var inCode []string
	for _, file := range parsed(t, "decoder", "follower", "internal", "tracker") {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit, *ast.BinaryExpr:
				inCode = append(inCode, said(n.(ast.Expr)))
			}
			return true
		})
	}
	quotes := quoted(read(t, "errors.md"))
	for _, m := range regexp.MustCompile("(?m)^\\| `(.*….*)` \\| info \\|").FindAllStringSubmatch(read(t, "operations.md"), -1) {
		quotes = append(quotes, m[1])
	}
	if len(quotes) < 200 {
		t.Errorf("only %d quotes found", len(quotes))
	}
	goName := regexp.MustCompile(`^[a-z]+\.[A-Z]\w+$`)
	for _, quote := range quotes {
		for part := range strings.SplitSeq(quote, gap) {
			part = strings.Trim(part, `": ,()`)
			if !goName.MatchString(part) && !slices.ContainsFunc(inCode, func(s string) bool { return strings.Contains(s, part) }) {
				t.Errorf("a page quotes %q, and nothing says %q", quote, part)
			}
		}
	}
}

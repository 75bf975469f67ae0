package deploytest_test

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// telling are the folders in which errors begin that a user meets: in what the
// program says, in a reason, in an answer over HTTP, or from a Go package.
func telling() []string {
	return []string{
		"decoder", "follower", "tracker", "internal/cli", "internal/client", "internal/config", "internal/daemon",
		"internal/setup", "internal/tailing", "internal/web",
	}
}

// unshown are errors that end a loop of their own package, and that nobody is
// told of.
func unshown() []string {
	return []string{
		"the epoch has ended", "the end is reached", "nobody reads the rows",
	}
}

// gap stands for a value in the text of an error.
const gap = "…"

// verbs are what package fmt puts values in the place of.
func verbs() *regexp.Regexp {
	return regexp.MustCompile(`%[-+# 0]*(\[\d+\])?[\d*]*(\.[\d*]*)?[a-zA-Z]`)
}

// said is the text that an expression makes, with a gap for each value.
func said(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return verbs().ReplaceAllString(s, gap)
		}
	case *ast.BinaryExpr:
		return said(e.X) + said(e.Y)
	case *ast.CallExpr:
		if callee(e) == "Sprintf" {
			return said(e.Args[0])
		}
	}
	return gap
}

// callee is the last word of what is called.
func callee(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// begins tells which argument of a call is the text of an error that begins
// there; -1: none. One with %w only says what was being done.
func begins(call *ast.CallExpr) int {
	at := map[string]int{"New": 0, "Errorf": 0, "complain": 0, "usage": 0, "refuse": 1, "badParameter": 2, "unavailable": 2}
	i, ok := at[callee(call)]
	if !ok || i >= len(call.Args) {
		return -1
	}
	if lit, ok := call.Args[i].(*ast.BasicLit); ok && strings.Contains(lit.Value, "%w") {
		return -1
	}
	return i
}

// beginnings are the texts of all errors that begin in the files.
func beginnings(files []*ast.File) (found []string) {
	note := func(e ast.Expr) {
		if text := said(e); len(strings.Trim(text, gap+`: "()`)) > 6 && !slices.Contains(unshown(), text) {
			found = append(found, text)
		}
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if i := begins(n); i >= 0 {
					note(n.Args[i])
				}
			case *ast.KeyValueExpr: // of an answer over HTTP
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Detail" && file.Name.Name == "web" {
					note(n.Value)
				}
			case *ast.ReturnStmt: // what is wrong with a value, and what to do
				if file.Name.Name == "config" && len(n.Results) == 2 {
					note(n.Results[0])
				}
			}
			return true
		})
	}
	return found
}

// quotedErrors are the texts that the tables of the page explain.
func quotedErrors(t *testing.T) (found []string) {
	t.Helper()
	for _, row := range regexp.MustCompile("(?m)^\\| (`.+?`) \\| ").FindAllStringSubmatch(read(t, "errors.md"), -1) {
		for _, m := range regexp.MustCompile("`(.+?)`").FindAllStringSubmatch(row[1], -1) {
			found = append(found, m[1])
		}
	}
	return found
}

// Every error that begins in the code is on the page, by its text or a part of
// it.
func TestErrorsAreOnThePage(t *testing.T) {
	t.Parallel()
	quotes := quotedErrors(t)
	texts := beginnings(parsed(t, telling()...))
	if len(texts) < 200 {
		t.Errorf("only %d errors found in the code", len(texts))
	}
	for _, text := range texts {
		plain := strings.NewReplacer(`"`+gap+`"`, gap, "\n", " ").Replace(text)
		if !slices.ContainsFunc(quotes, func(q string) bool {
			return strings.Contains(plain, strings.ReplaceAll(q, `"`+gap+`"`, gap))
		}) {
			t.Errorf("deploy/errors.md does not say what causes %q, and what to do", text)
		}
	}
}

var _ = filepath.Join

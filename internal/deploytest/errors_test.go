package deploytest_test

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
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

// begins returns the text of an error that begins with a call; nil: none. One
// with %w only says what was being done.
func begins(call *ast.CallExpr) ast.Expr {
	first := map[string]int{"New": 0, "Errorf": 0, "complain": 0, "wrong": 0, "usage": 0, "refuse": 1, "badParameter": 2, "unavailable": 2}
	i, ok := first[callee(call)]
	if !ok || i >= len(call.Args) {
		return nil
	}
	if callee(call) == "wrong" && len(call.Args) > 1 && said(call.Args[0]) == gap {
		i = 1 // after the condition
	}
	if lit, ok := call.Args[i].(*ast.BasicLit); ok && strings.Contains(lit.Value, "%w") {
		return nil
	}
	return call.Args[i]
}

// result is what an error with a type of its own says, at the function's end.
func result(f *ast.FuncDecl) ast.Expr {
	if f.Recv == nil || f.Name.Name != "Error" || f.Body == nil {
		return nil
	}
	if r, ok := f.Body.List[len(f.Body.List)-1].(*ast.ReturnStmt); ok {
		return r.Results[0]
	}
	return nil
}

// assigned is what is kept as the reason why a stream is not followed, or told
// over HTTP.
func assigned(pkg string, a *ast.AssignStmt) ast.Expr {
	var name string
	switch to := a.Lhs[0].(type) {
	case *ast.Ident:
		name = to.Name
	case *ast.SelectorExpr:
		name = to.Sel.Name
	}
	if name == "reason" || name == "problem" || name == "detail" && pkg == "web" {
		return a.Rhs[0]
	}
	return nil
}

// beginning is the text of an error that begins at a node; nil: none does.
func beginning(pkg string, n ast.Node) ast.Expr {
	switch n := n.(type) {
	case *ast.CallExpr:
		return begins(n)
	case *ast.FuncDecl:
		return result(n)
	case *ast.AssignStmt:
		return assigned(pkg, n)
	case *ast.KeyValueExpr: // of an answer over HTTP
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Detail" && pkg == "web" {
			return n.Value
		}
	case *ast.CompositeLit:
		if kind, ok := n.Type.(*ast.Ident); ok && kind.Name == "UsageError" {
			return n.Elts[0]
		}
	case *ast.ReturnStmt: // what is wrong with a value, and what to do
		if pkg == "config" && len(n.Results) == 2 {
			return n.Results[0]
		}
	}
	return nil
}

// beginnings are the texts of all errors that begin in the files.
func beginnings(files []*ast.File) (found []string) {
	for _, file := range files {
		if file.Name.Name == "positionstest" {
			continue // it is for tests
		}
		ast.Inspect(file, func(n ast.Node) bool {
			e := beginning(file.Name.Name, n)
			if e == nil {
				return true
			}
			text := said(e)
			if len(strings.Trim(text, gap+`: "(),`)) > 6 && !slices.Contains(unshown(), text) {
				found = append(found, text)
			}
			return true
		})
	}
	return found
}

// quoted are the texts in the first column of a page's tables.
func quoted(page string) (found []string) {
	for _, row := range regexp.MustCompile("(?m)^\\| (`.+?`) \\| ").FindAllStringSubmatch(page, -1) {
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
	quotes := quoted(read(t, "errors.md"))
	texts := beginnings(parsed(t, telling()...))
	if len(texts) < 200 {
		t.Errorf("only %d errors found in the code", len(texts))
	}
	unquote := strings.NewReplacer(`"`+gap+`"`, gap, "\n", " ")
	for _, text := range texts {
		if !slices.ContainsFunc(quotes, func(q string) bool { return strings.Contains(unquote.Replace(text), unquote.Replace(q)) }) {
			t.Errorf("deploy/errors.md does not say what causes %q, and what to do", text)
		}
	}
}

// Errors that a Go program can tell apart are on the page by their names.
func TestExportedErrorsAreOnThePage(t *testing.T) {
	t.Parallel()
	quotes := quoted(read(t, "errors.md"))
	cells := strings.Join(quotes, " ") + read(t, "errors.md")
	found := 0
	for _, file := range parsed(t, "decoder", "follower", "tracker") {
		ast.Inspect(file, func(n ast.Node) bool {
			for _, name := range exported(n) {
				if internal(file.Name.Name) {
					continue
				}
				found++
				if !strings.Contains(cells, file.Name.Name+"."+name+"`") {
					t.Errorf("deploy/errors.md does not name %s.%s", file.Name.Name, name)
				}
			}
			return true
		})
	}
	if found < 15 {
		t.Errorf("only %d exported errors found", found)
	}
}

// internal tells a package that users cannot import.
func internal(pkg string) bool {
	return slices.Contains([]string{"fence", "session", "ledger", "gate", "epoch", "catalog", "server"}, pkg)
}

// exported are the names of errors that a declaration makes.
func exported(n ast.Node) (names []string) {
	switch n := n.(type) {
	case *ast.ValueSpec:
		for _, name := range n.Names {
			if regexp.MustCompile(`^Err[A-Z]`).MatchString(name.Name) {
				names = append(names, name.Name)
			}
		}
	case *ast.TypeSpec:
		if n.Name.IsExported() && strings.HasSuffix(n.Name.Name, "Error") {
			names = append(names, n.Name.Name)
		}
	}
	return names
}

// Codes of the server for which the program has advice are on the page.
func TestCodesAreOnThePage(t *testing.T) {
	t.Parallel()
	quotes := quoted(read(t, "errors.md"))
	found := 0
	for _, file := range parsed(t, "internal/cli") {
		ast.Inspect(file, func(n ast.Node) bool {
			if f, ok := n.(*ast.FuncDecl); ok {
				return f.Name.Name == "aboutRefusal" || f.Name.Name == "advice"
			}
			if c, ok := n.(*ast.CaseClause); ok {
				for _, code := range texts(c.List) {
					found++
					if !slices.Contains(quotes, code) {
						t.Errorf("deploy/errors.md does not tell of code %s", code)
					}
				}
			}
			return true
		})
	}
	if found < 8 {
		t.Errorf("only %d codes found", found)
	}
}

// titles are how the names of requirements begin: the first words of the first
// argument of met, unmet and warning, followed through variables of the
// function and through functions that make a title.
func titles(files []*ast.File) map[string]bool {
	makers := map[string]ast.Expr{} // what a function with one statement returns
	for _, file := range files {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil && len(f.Body.List) == 1 {
				if r, ok := f.Body.List[0].(*ast.ReturnStmt); ok && len(r.Results) == 1 {
					makers[f.Name.Name] = r.Results[0]
				}
			}
		}
	}
	found := map[string]bool{}
	for _, file := range files {
		for _, d := range file.Decls {
			variables := map[string]ast.Expr{}
			ast.Inspect(d, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.AssignStmt:
					for i, to := range n.Lhs {
						if id, ok := to.(*ast.Ident); ok && n.Tok == token.DEFINE && len(n.Lhs) == len(n.Rhs) {
							variables[id.Name] = n.Rhs[i]
						}
					}
				case *ast.KeyValueExpr:
					if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Name" && file.Name.Name == "follower" {
						found[leading(n.Value, variables, makers)] = true
					}
				case *ast.CallExpr:
					if slices.Contains([]string{"met", "unmet", "warning"}, callee(n)) && len(n.Args) > 1 {
						found[leading(n.Args[0], variables, makers)] = true
					}
				}
				return true
			})
		}
	}
	delete(found, "") // a title that is handed on
	return found
}

// ofPackage are the files of one package.
func ofPackage(files []*ast.File, pkg string) []*ast.File {
	return slices.DeleteFunc(files, func(f *ast.File) bool { return f.Name.Name != pkg })
}

// leading is the text with which an expression begins.
func leading(e ast.Expr, variables, makers map[string]ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		return strings.TrimSpace(said(e))
	case *ast.BinaryExpr:
		return leading(e.X, variables, makers)
	case *ast.Ident:
		if to := variables[e.Name]; to != nil {
			return leading(to, nil, makers)
		}
	case *ast.CallExpr:
		if to := makers[callee(e)]; to != nil {
			return leading(to, nil, nil)
		}
	}
	return ""
}

// Every requirement of check is on the page, by the name that check prints.
func TestRequirementsAreOnThePage(t *testing.T) {
	t.Parallel()
	onPage := quoted(between(t, read(t, "operations.md"), "## Halted", "## Late rows"))
	inCode := titles(append(parsed(t, "follower/internal/catalog"), ofPackage(parsed(t, "follower"), "follower")...))
	if len(inCode) < 12 {
		t.Errorf("only %d requirements found: %v", len(inCode), inCode)
	}
	for title := range inCode {
		if !slices.ContainsFunc(onPage, func(q string) bool { return strings.HasPrefix(q+" ", title+" ") || strings.HasPrefix(title, q) }) {
			t.Errorf("deploy/operations.md does not tell of the requirement %q", title)
		}
	}
}

// An error gives one piece of advice, the one that fits.
func TestErrorsAdviseOnce(t *testing.T) {
	t.Parallel()
	_, file := newShop(t, pgtest.Version(t, pgtest.Major(t)), false)
	for command, want := range map[string]string{
		"tail orders -c " + file: "grant the role SELECT on all columns of the stream's tables\n",
		"teardown -c " + file:    "run it as the owner of the object, or as a superuser\n",
	} {
		if out, err := tidemark(t, nil, strings.Fields(command)...); err == nil || !strings.HasSuffix(out, want) {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
	}
}

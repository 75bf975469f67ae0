package archtest

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

const (
	whyNoInit  = "what happens at import cannot be configured, ordered or tested: do it in a constructor"
	whyNoState = "package state is shared by everybody who imports it: keep it in a value, " +
		"or mark a read-only table //tidemark:readonly"
)

func TestNoHiddenState(t *testing.T) {
	t.Parallel()
	for _, files := range byPackage(sources(t)) {
		for _, s := range files {
			report(t, whyNoInit, inits(s))
			report(t, whyNoState, variables(s))
		}
		report(t, "it is marked //tidemark:readonly", writes(files))
	}
}

// inits finds init functions.
func inits(s source) []string {
	var found []string
	for _, d := range s.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			found = append(found, s.at(f)+": func init")
		}
	}
	return found
}

// variables finds package variables that might change.
func variables(s source) []string {
	var found []string
	eachVariable(s, func(g *ast.GenDecl, spec *ast.ValueSpec) {
		if directive("go:embed", g.Doc, spec.Doc) || directive(readonly, g.Doc, spec.Doc) {
			return
		}
		for i, name := range spec.Names {
			if name.Name != "_" && (len(spec.Values) != len(spec.Names) || !constantCall(spec.Values[i])) {
				found = append(found, s.at(name)+": var "+name.Name)
			}
		}
	})
	return found
}

const readonly = "tidemark:readonly"

// eachVariable visits the package variables of a file.
func eachVariable(s source, visit func(*ast.GenDecl, *ast.ValueSpec)) {
	for _, d := range s.file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, spec := range g.Specs {
			visit(g, spec.(*ast.ValueSpec))
		}
	}
}

// directive tells whether one of the comments holds this directive.
func directive(name string, docs ...*ast.CommentGroup) bool {
	for _, doc := range docs {
		if doc == nil {
			continue
		}
		for _, c := range doc.List {
			if rest, ok := strings.CutPrefix(c.Text, "//"+name); ok && (rest == "" || rest[0] == ' ') {
				return true
			}
		}
	}
	return false
}

// constantCall tells whether an expression makes a value that never changes.
func constantCall(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := sel.X.(*ast.Ident)
	if !ok {
		return false
	}
	switch pkg.Name + "." + sel.Sel.Name {
	case "errors.New", "regexp.MustCompile":
		return true
	}
	return false
}

// writes finds assignments to the marked tables of a package, and to its
// errors and patterns: by name, so a local variable must not hide one.
func writes(files []source) []string {
	tables := map[string]bool{}
	for _, s := range files {
		eachVariable(s, func(_ *ast.GenDecl, spec *ast.ValueSpec) {
			for _, name := range spec.Names {
				tables[name.Name] = name.Name != "_"
			}
		})
	}
	var found []string
	for _, s := range files {
		ast.Inspect(s.file, func(n ast.Node) bool {
			for _, target := range targets(n) {
				if name := base(target); tables[name] {
					found = append(found, s.at(n)+": writes to "+name)
				}
			}
			return true
		})
	}
	return found
}

// targets are the expressions that a node writes to or hands out for writing.
func targets(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			return []ast.Expr{n.X}
		}
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "delete" || f.Name == "clear") && len(n.Args) > 0 {
			return n.Args[:1]
		}
	}
	return nil
}

// base is the variable at the root of an expression: t for t.a[i].b.
func base(e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x.Name
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return ""
		}
	}
}

func TestHiddenStateIsFound(t *testing.T) {
	t.Parallel()
	expect(t, inits, 1, `func init() {}`)
	expect(t, inits, 0, `type T struct{}; func (T) init() {}`)

	expect(t, variables, 1, `var cache = map[string]int{}`)
	expect(t, variables, 2, `var a, b int`)
	expect(t, variables, 1, `var once sync.Once`)
	expect(t, variables, 1, `var (
		errGone = errors.New("gone")
		count = start()
	)`)
	expect(t, variables, 0, `var _ io.Reader = (*R)(nil)`)
	expect(t, variables, 0, "//go:embed page.html\nvar page string")
	expect(t, variables, 0, "// kinds are the kinds.\n//\n//tidemark:readonly\nvar kinds = []string{`a`}")

	writesIn := func(s source) []string { return writes([]source{s}) }
	const table = "//tidemark:readonly\nvar kinds = map[string]int{`a`: 1}\n"
	expect(t, writesIn, 1, table+"func f() { kinds[`b`] = 2 }")
	expect(t, writesIn, 1, table+"func f() { kinds = nil }")
	expect(t, writesIn, 1, table+"func f() { kinds[`b`]++ }")
	expect(t, writesIn, 1, table+"func f() { delete(kinds, `a`) }")
	expect(t, writesIn, 1, table+"func f() *T { return &kinds }")
	expect(t, writesIn, 0, table+"func f() int { return kinds[`a`] }")
}

package archtest

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

const whyComments = "an exported name is a promise: say what it means, its units, its errors, who may call it when"

func TestExportedNamesAreDocumented(t *testing.T) {
	t.Parallel()
	for dir, files := range byPackage(sources(t)) {
		documented := false
		for _, s := range files {
			documented = documented || s.file.Doc != nil
			report(t, whyComments, undocumented(s))
		}
		if !documented {
			t.Errorf("%s: no package comment: %s", dir, whyComments)
		}
	}
}

// undocumented finds exported functions, methods, types, values, fields and
// interface methods without a comment.
func undocumented(s source) []string {
	var found []string
	missing := func(name *ast.Ident, docs ...*ast.CommentGroup) {
		if name.IsExported() && !anyComment(docs) {
			found = append(found, s.at(name)+": "+name.Name)
		}
	}
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if ownerExported(d) {
				missing(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				s.undocumentedSpec(d, spec, missing)
			}
		}
	}
	return found
}

func anyComment(docs []*ast.CommentGroup) bool {
	for _, doc := range docs {
		if doc.Text() != "" {
			return true
		}
	}
	return false
}

// ownerExported tells whether a function is one, or a method of an exported type.
func ownerExported(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	e := f.Recv.List[0].Type
	if ix, ok := e.(*ast.IndexExpr); ok {
		e = ix.X
	}
	return ast.IsExported(base(e))
}

// undocumentedSpec looks at a type with its members, or at values: of those,
// the comment of the group counts for constants.
func (s source) undocumentedSpec(d *ast.GenDecl, spec ast.Spec, missing func(*ast.Ident, ...*ast.CommentGroup)) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		docs := []*ast.CommentGroup{spec.Doc, spec.Comment}
		if d.Tok == token.CONST || len(d.Specs) == 1 {
			docs = append(docs, d.Doc)
		}
		for _, name := range spec.Names {
			missing(name, docs...)
		}
	case *ast.TypeSpec:
		docs := []*ast.CommentGroup{spec.Doc}
		if len(d.Specs) == 1 {
			docs = append(docs, d.Doc)
		}
		missing(spec.Name, docs...)
		if spec.Name.IsExported() {
			s.undocumentedMembers(spec.Type, missing)
		}
	}
}

// undocumentedMembers looks at exported fields and interface methods of what
// users import; within the module the comment of the type may do for all. A
// comment stands for the fields that follow it on the next lines, so that a
// short group needs one only.
func (s source) undocumentedMembers(e ast.Expr, missing func(*ast.Ident, ...*ast.CommentGroup)) {
	if strings.HasPrefix(s.path, "internal/") || strings.Contains(s.path, "/internal/") {
		return
	}
	var list *ast.FieldList
	switch e := e.(type) {
	case *ast.StructType:
		list = e.Fields
	case *ast.InterfaceType:
		list = e.Methods
	default:
		return
	}
	var doc *ast.CommentGroup
	end := 0 // line on which the member before ends
	for _, f := range list.List {
		if f.Doc != nil || s.line(f.Pos()) > end+1 {
			doc = f.Doc
		}
		for _, name := range f.Names {
			missing(name, doc, f.Comment)
		}
		end = s.line(f.End())
	}
}

func TestMissingCommentsAreFound(t *testing.T) {
	t.Parallel()
	expect(t, undocumented, 1, `func F() {}`)
	expect(t, undocumented, 1, "// T is.\ntype T struct{}\nfunc (t *T) M() {}")
	expect(t, undocumented, 0, "type t struct{ F int }\nfunc (t *t) M() {}")
	expect(t, undocumented, 1, "// T is.\ntype T struct {\n\tA int\n}")
	expect(t, undocumented, 0, "// T is.\ntype T struct {\n\t// A and B are.\n\tA int\n\tB int\n\n\tC int // is\n}")
	expect(t, undocumented, 1, "// T is.\ntype T struct {\n\t// A is.\n\tA int\n\n\tB int\n}")
	expect(t, undocumented, 1, "// I is.\ntype I interface {\n\tM()\n}")
	expect(t, undocumented, 0, "// Sizes.\nconst (\n\tA = 1\n\tB = 2\n)")
	expect(t, undocumented, 1, "// Errors.\nvar (\n\tErrA = errors.New(`a`)\n)\nvar ErrB = errors.New(`b`)")
}

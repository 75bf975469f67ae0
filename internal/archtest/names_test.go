package archtest

import (
	"go/ast"
	"path"
	"regexp"
	"strings"
	"testing"
)

const whyNoVague = "the name says nothing of what it does: name the thing, or put the code where it is used"

// vague are words that name nothing, as words of a Go name.
var vague = regexp.MustCompile(`(^|[a-z0-9])(Manager|Helper|Util)(s|ity|ities)?([A-Z0-9]|$)`)

// vagueFile is the same for files and packages.
var vagueFile = regexp.MustCompile(`(^|[_/])(manager|helper|util|common|misc)s?(_|\.|/|$)`)

func TestNamesSaySomething(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		report(t, whyNoVague, vagueNames(s))
	}
}

// vagueNames finds declared names, files and packages with such a word.
func vagueNames(s source) []string {
	var found []string
	if vagueFile.MatchString(s.path) {
		found = append(found, s.path)
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		for _, name := range declared(n) {
			if upper := strings.ToUpper(name.Name[:1]) + name.Name[1:]; vague.MatchString(upper) {
				found = append(found, s.at(name)+": "+name.Name)
			}
		}
		return true
	})
	return found
}

// declared are the names that a node declares.
func declared(n ast.Node) []*ast.Ident {
	switch n := n.(type) {
	case *ast.FuncDecl:
		return []*ast.Ident{n.Name}
	case *ast.TypeSpec:
		return []*ast.Ident{n.Name}
	case *ast.ValueSpec:
		return n.Names
	case *ast.Field:
		return n.Names
	}
	return nil
}

func TestVagueNamesAreFound(t *testing.T) {
	t.Parallel()
	expect(t, vagueNames, 1, `type SlotManager struct{}`)
	expect(t, vagueNames, 1, `func helper() {}`)
	expect(t, vagueNames, 1, `type T struct { utils []int }`)
	expect(t, vagueNames, 1, `const stringUtil2 = 1`)
	expect(t, vagueNames, 0, `type Management struct{}; func utilised() {}; func f(t T) { t.Helper() }`)
	for file, want := range map[string]bool{
		"internal/utils/a.go": true, "tracker/helper.go": true, "tracker/slot_helpers_test.go": true,
		"internal/helpful/a.go": false, "tracker/tracker.go": false,
	} {
		if got := vagueFile.MatchString(file); got != want {
			t.Errorf("vague(%s) = %v, want %v", path.Base(file), got, want)
		}
	}
}

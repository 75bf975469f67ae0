package archtest

import (
	"fmt"
	"go/ast"
	"testing"
)

// Limits in lines. They are where reading stops being possible; most files
// and functions are far below.
const (
	maxFile     = 800
	maxTestFile = 1000
	maxFunc     = 100
	maxTestFunc = 150
	whySizes    = "one idea a file, and a function that fits on a screen: split it by subject"
)

func TestFilesAndFunctionsAreShort(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		report(t, whySizes, long(s))
	}
}

// long finds files and functions beyond the limits.
func long(s source) []string {
	file, function := maxFile, maxFunc
	if s.isTest() {
		file, function = maxTestFile, maxTestFunc
	}
	var found []string
	if n := s.fset.File(s.file.Pos()).LineCount(); n > file {
		found = append(found, fmt.Sprintf("%s: %d lines, more than %d", s.path, n, file))
	}
	for _, d := range s.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && s.lines(f) > function {
			found = append(found, fmt.Sprintf("%s: %s has %d lines, more than %d", s.at(f), f.Name.Name, s.lines(f), function))
		}
	}
	return found
}

func TestLengthIsFound(t *testing.T) {
	t.Parallel()
	lines := func(n int) string {
		text := make([]byte, n)
		for i := range text {
			text[i] = '\n'
		}
		return string(text)
	}
	expect(t, long, 1, "func f() {"+lines(maxFunc)+"}")
	expect(t, long, 0, "func f() {"+lines(maxFunc-1)+"}")
	expect(t, long, 1, lines(maxFile))
}

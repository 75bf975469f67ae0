// Package archtest holds the rules of the house as tests: which package may
// import which, no hidden state, names and documentation, sizes, and what may
// lie in the tree. Each rule says why it is there when it is broken.
//
// A package variable is allowed where nothing can change under its readers:
// an error of errors.New, a pattern of regexp.MustCompile, an embedded file,
// an assertion that a type has an interface (var _ T = …), or a read-only
// table. A table is marked by the directive
//
//	//tidemark:readonly
//
// in its comment, and then may not be assigned to anywhere in its package.
//
// Each check has a test of its own that shows it bad code.
package archtest

package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	// maxTokens bounds the parser's work, which grows with the square of the
	// keys in one mapping. A table of a stream takes about 20.
	maxTokens = 50_000
	// maxLine bounds a line in bytes: the lexer's work grows with the square of
	// a quoted text that does not end.
	maxLine = 16 << 10
	// maxDepth bounds nesting, on which the parser recurses; ours is 5 deep.
	maxDepth = 32

	mendYAML = "write valid YAML, indented with spaces; quote text that holds a colon or #"
)

// Error is a mistake in a configuration file.
type Error struct {
	// File as it was named, and the place in it, both counted from 1, columns
	// in characters.
	File         string
	Line, Column int
	// What is wrong and what to Do about it.
	What, Do string
}

// Error is the whole line that a user sees.
func (e *Error) Error() string {
	return fmt.Sprintf("read configuration: %s:%d:%d: %s: %s", printable(e.File), e.Line, e.Column, e.What, e.Do)
}

// position is a place in the file, counted from 1.
type position struct{ line, column int }

// document collects what is read from one file: the mistakes, and where the
// values stood, so that checks that need several values can point at one.
type document struct {
	name     string
	at       map[string]position
	problems []*Error
}

func (d *document) refuse(at position, what, do string) {
	d.problems = append(d.problems, &Error{File: d.name, Line: at.line, Column: at.column, What: what, Do: do})
}

// first returns the first mistake in the order of the file.
func (d *document) first() error {
	if len(d.problems) == 0 {
		return nil
	}
	return slices.MinFunc(d.problems, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// where is the place of the value at path, or of what it would stand in.
func (d *document) where(path string) position {
	for {
		if at, ok := d.at[path]; ok {
			return at
		}
		if path == "" {
			return position{1, 1}
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}

// given tells whether the file holds a value at path.
func (d *document) given(path string) bool {
	_, ok := d.at[path]
	return ok
}

// parse returns the file's one document, or nil with a problem noted.
func (d *document) parse(data []byte) ast.Node {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !d.plain(data) {
		return nil
	}
	tokens, ok := d.tokens(data)
	if !ok {
		return nil
	}
	file, err := parseTokens(tokens)
	if err != nil {
		d.syntax(err)
		return nil
	}
	return d.single(file)
}

// plain refuses what is no text at all.
func (d *document) plain(data []byte) bool {
	if len(data) > maxFile {
		d.refuse(position{1, 1}, fmt.Sprintf("larger than %d bytes", maxFile), "this is no configuration of Tidemark")
		return false
	}
	at, start := position{1, 1}, 0
	for i, r := range string(data) {
		switch {
		case i-start > maxLine:
			d.refuse(position{at.line, 1}, fmt.Sprintf("a line longer than %d bytes", maxLine), "break it")
			return false
		case r == utf8.RuneError && !utf8.FullRune(data[i:]), r == utf8.RuneError && data[i] != 0xef:
			d.refuse(at, "not UTF-8", "save the file as UTF-8 text")
			return false
		case r == '\n':
			at, start = position{at.line + 1, 1}, i+1
			continue
		case unicode.IsControl(r) && r != '\t' && r != '\r':
			d.refuse(at, fmt.Sprintf("control character %U", r), "remove it")
			return false
		}
		at.column++
	}
	return true
}

// tokens bounds what the parser is given.
func (d *document) tokens(data []byte) (token.Tokens, bool) {
	tokens := lexer.Tokenize(string(data))
	if len(tokens) > maxTokens {
		d.refuse(tokenPosition(tokens[maxTokens]), "more values than a configuration can hold", "shorten the file")
		return nil, false
	}
	var line, inline, flow int
	for _, t := range tokens {
		if t.Position.Line != line {
			line, inline = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			inline++
		}
		if flow+inline > maxDepth {
			d.refuse(tokenPosition(t), "nested too deeply", "see the README for the keys there are")
			return nil, false
		}
	}
	return tokens, true
}

// parseTokens parses, and turns a panic of the parser into an error: no file
// may take the process down.
func parseTokens(tokens token.Tokens) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("parser: %v", r)
		}
	}()
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

func (d *document) syntax(err error) {
	at, message := position{1, 1}, err.Error()
	if yamlErr, ok := errors.AsType[yaml.Error](err); ok {
		message = yamlErr.GetMessage()
		if t := yamlErr.GetToken(); t != nil {
			at = tokenPosition(t)
		}
	}
	d.refuse(at, "YAML: "+printable(message), mendYAML)
}

// single returns the body of the only document.
func (d *document) single(file *ast.File) ast.Node {
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if body != nil {
			d.refuse(documentPosition(doc), "a second YAML document", "keep one configuration in one file")
			return nil
		}
		body = doc.Body
	}
	if body == nil {
		d.refuse(position{1, 1}, "the file is empty", "write at least database.url and streams")
	}
	return body
}

func documentPosition(doc *ast.DocumentNode) position {
	if doc.Start != nil {
		return tokenPosition(doc.Start)
	}
	return nodePosition(doc.Body)
}

// nodePosition is where a node begins: the token of a block mapping is its
// first colon, but people look at the first key.
func nodePosition(n ast.Node) position {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return nodePosition(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return nodePosition(n.Key)
	}
	if t := n.GetToken(); t != nil {
		return tokenPosition(t)
	}
	return position{1, 1}
}

func tokenPosition(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{1, 1}
	}
	return position{max(1, t.Position.Line), max(1, t.Position.Column)}
}

// printable keeps an error on one line whatever a name or message holds.
func printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

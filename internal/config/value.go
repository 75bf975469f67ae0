package config

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/goccy/go-yaml/ast"
)

// reader takes the value at path out of the document.
type reader func(n ast.Node, path string)

// fields are the keys a mapping may have.
type fields map[string]reader

// section reads a mapping. Nothing at all stands for an empty one: a section
// whose keys are all commented out.
func (d *document) section(known fields) reader {
	return func(n ast.Node, path string) {
		d.at[path] = nodePosition(n)
		switch n := n.(type) {
		case *ast.NullNode:
		case *ast.MappingNode:
			d.mapping(n.Values, path, known)
		case *ast.MappingValueNode:
			d.mapping([]*ast.MappingValueNode{n}, path, known)
		default:
			d.wrongType(n, path, "a mapping of keys")
		}
	}
}

func (d *document) mapping(values []*ast.MappingValueNode, path string, known fields) {
	seen := map[string]position{}
	for _, v := range values {
		key, ok := keyText(v.Key)
		at := nodePosition(v.Key)
		if !ok {
			d.refuse(at, "a key that is not plain text", "write one of "+list(known))
			continue
		}
		if first, twice := seen[key]; twice {
			d.refuse(at, fmt.Sprintf("%q is given twice, first in line %d", key, first.line), "keep one")
			continue
		}
		seen[key] = at
		read, ok := known[key]
		if !ok {
			d.refuse(at, fmt.Sprintf("unknown key %q", key), suggestion(key, known))
			continue
		}
		read(v.Value, join(path, key))
	}
}

func keyText(n ast.Node) (string, bool) {
	s, ok := n.(*ast.StringNode)
	if !ok {
		return "", false
	}
	return s.Value, true
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// required refuses a mapping that lacks one of keys. Another mistake is told
// first: a key that is spelt wrongly is better news than one that is missing.
func (d *document) required(path string, keys ...string) {
	if len(d.problems) > 0 {
		return
	}
	for _, key := range keys {
		if full := join(path, key); !d.given(full) {
			d.refuse(d.where(path), fmt.Sprintf("%s is missing", full), fmt.Sprintf("add %q", key))
		}
	}
}

// sequence reads a list; nothing at all stands for an empty one.
func (d *document) sequence(item reader) reader {
	return func(n ast.Node, path string) {
		d.at[path] = nodePosition(n)
		switch n := n.(type) {
		case *ast.NullNode:
		case *ast.SequenceNode:
			for i, v := range n.Values {
				item(v, path+"["+strconv.Itoa(i)+"]")
			}
		default:
			d.wrongType(n, path, "a list")
		}
	}
}

// texts reads a list of texts.
func (d *document) texts(into *[]string) reader {
	return d.sequence(func(n ast.Node, path string) {
		var s string
		d.text(&s)(n, path)
		*into = append(*into, s)
	})
}

// text reads a text without control characters: they would break error
// messages, logs and headers, and no name needs them.
func (d *document) text(into *string) reader {
	return func(n ast.Node, path string) {
		d.at[path] = nodePosition(n)
		s, ok := scalarText(n)
		if !ok {
			d.wrongType(n, path, "text (quoted where it looks like something else)")
			return
		}
		if i := strings.IndexFunc(s, unicode.IsControl); i >= 0 {
			d.refuse(d.at[path], path+" holds a control character", "remove it")
			return
		}
		*into = s
	}
}

func scalarText(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return strings.TrimRight(n.Value.Value, "\n"), true
	}
	return "", false
}

// checked reads a text that check accepts; check says what is wrong with it
// and what to do, or nothing.
func (d *document) checked(into *string, check func(string) (what, do string)) reader {
	return func(n ast.Node, path string) {
		before := len(d.problems)
		d.text(into)(n, path)
		if len(d.problems) > before {
			return
		}
		if what, do := check(*into); what != "" {
			d.refuse(d.at[path], path+" "+what, do)
		}
	}
}

// oneOf reads a text that is one of choices.
func oneOf[T ~string](d *document, into *T, choices ...T) reader {
	return func(n ast.Node, path string) {
		var s string
		check := func(s string) (string, string) {
			if slices.Contains(choices, T(s)) {
				return "", ""
			}
			return fmt.Sprintf("is %q", s), "use " + alternatives(choices)
		}
		d.checked(&s, check)(n, path)
		*into = T(s)
	}
}

func (d *document) boolean(into *bool) reader {
	return func(n ast.Node, path string) {
		d.at[path] = nodePosition(n)
		b, ok := n.(*ast.BoolNode)
		if !ok {
			d.wrongType(n, path, "true or false")
			return
		}
		*into = b.Value
	}
}

// count reads a whole decimal number from least to limit.
func (d *document) count(into *int, least, limit int) reader {
	return func(n ast.Node, path string) {
		d.at[path] = nodePosition(n)
		i, err := strconv.Atoi(literal(n))
		if err != nil || i < least || i > limit || literal(n)[0] == '+' {
			d.refuse(d.at[path], path+" is not a number in range", fmt.Sprintf("write a whole number from %d to %d", least, limit))
			return
		}
		*into = i
	}
}

func (d *document) size(into *int64) reader {
	return func(n ast.Node, path string) {
		d.at[path] = nodePosition(n)
		size, ok := parseSize(literal(n))
		if !ok {
			d.refuse(d.at[path], path+" is not a size", "write 0, or a whole number and B, KiB, MiB or GiB, as in 256MiB")
			return
		}
		*into = size
	}
}

func (d *document) duration(into *time.Duration) reader {
	return func(n ast.Node, path string) {
		d.at[path] = nodePosition(n)
		duration, ok := parseDuration(literal(n))
		if !ok {
			d.refuse(d.at[path], path+" is not a duration above zero", "write a number and ms, s, m or h, as in 30s")
			return
		}
		*into = duration
	}
}

// literal is a scalar as it was written, without quotes: numbers are not taken
// from the YAML library, for which 0x10, 1_000 and 010 are numbers too.
func literal(n ast.Node) string {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return n.Token.Value
	case *ast.StringNode:
		return n.Value
	}
	return ""
}

func (d *document) wrongType(n ast.Node, path, want string) {
	if path == "" {
		path = "the file"
	}
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		d.refuse(nodePosition(n), path+" uses a YAML anchor, alias or tag", "write the value out")
	default:
		d.refuse(nodePosition(n), path+" is "+kindName(n), "write "+want)
	}
}

func kindName(n ast.Node) string {
	switch n.(type) {
	case *ast.NullNode:
		return "empty"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.BoolNode:
		return "true or false"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	}
	return "text"
}

// parseSize reads "0" or a whole number with its unit.
func parseSize(s string) (int64, bool) {
	if s == "0" {
		return 0, true
	}
	digits := strings.TrimRight(s, "BKMGi")
	shift, ok := map[string]int{"B": 0, "KiB": 10, "MiB": 20, "GiB": 30}[s[len(digits):]]
	if !ok || !decimal(digits) {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > math.MaxInt64>>shift {
		return 0, false
	}
	return n << shift, true
}

func decimal(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// parseDuration reads what time.ParseDuration does, without a sign and above 0.
func parseDuration(s string) (time.Duration, bool) {
	if s == "" || s[0] == '+' || s[0] == '-' {
		return 0, false
	}
	duration, err := time.ParseDuration(s)
	return duration, err == nil && duration > 0
}

// suggestion names the known key that is nearest to key.
func suggestion(key string, known fields) string {
	best, distance := "", math.MaxInt
	for _, k := range slices.Sorted(maps.Keys(known)) {
		n := edits(key, k)
		if len(key) > 2 && strings.HasPrefix(k, key) {
			n = 1
		}
		if n < distance {
			best, distance = k, n
		}
	}
	if distance > max(len(best), len(key))/2 {
		return "write one of " + list(known)
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// edits is the Levenshtein distance of a key, of which the first 64 bytes
// count, to a known one.
func edits(key, known string) int {
	key = key[:min(len(key), 64)]
	row := make([]int, len(known)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(key) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(known) {
			replace := diagonal
			if key[i] != known[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, diagonal+1)
		}
	}
	return row[len(known)]
}

func list(known fields) string {
	return strings.Join(slices.Sorted(maps.Keys(known)), ", ")
}

func alternatives[T ~string](choices []T) string {
	words := make([]string, len(choices))
	for i, c := range choices {
		words[i] = string(c)
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

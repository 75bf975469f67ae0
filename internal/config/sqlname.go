package config

import (
	"fmt"
	"strings"
	"unicode"
)

// maxIdentifier is the longest identifier, in bytes, that the server keeps;
// what is longer it would silently cut.
const maxIdentifier = 63

// parseSQLName splits a table's or sequence's name, as SQL writes it, into one
// or two identifiers: unquoted parts folded to lower case, quoted ones bare.
func parseSQLName(s string) ([]string, bool) {
	var parts []string
	for {
		part, rest, ok := identifier(s)
		if !ok || part == "" || len(part) > maxIdentifier {
			return nil, false
		}
		parts = append(parts, part)
		if rest == "" {
			return parts, len(parts) <= 2
		}
		if s, ok = strings.CutPrefix(rest, "."); !ok {
			return nil, false
		}
	}
}

// identifier takes the first identifier off s.
func identifier(s string) (part, rest string, ok bool) {
	if quoted, is := strings.CutPrefix(s, `"`); is {
		return quotedIdentifier(quoted)
	}
	end := strings.IndexFunc(s, func(r rune) bool {
		return r != '_' && r != '$' && r < 0x80 && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	if end < 0 {
		end = len(s)
	}
	if end == 0 || s[0] == '$' || s[0] >= '0' && s[0] <= '9' {
		return "", "", false
	}
	return foldASCII(s[:end]), s[end:], true
}

// quotedIdentifier takes what is left of a quoted identifier after its first
// quote; a doubled quote stands for one.
func quotedIdentifier(s string) (part, rest string, ok bool) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, `"`)
		if !found {
			return "", "", false
		}
		b.WriteString(before)
		if after == "" || after[0] != '"' {
			return b.String(), after, true
		}
		b.WriteByte('"')
		s = after[1:]
	}
}

// foldASCII lowers what every server lowers; beyond ASCII it depends on the
// server's encoding and is left alone.
func foldASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// canonical is one spelling for all that mean the same name.
func canonical(name string) string {
	parts, ok := parseSQLName(name)
	if !ok {
		return name
	}
	return strings.Join(parts, "\x00")
}

func checkSQLName(s string) (what, do string) {
	if _, ok := parseSQLName(s); !ok {
		return fmt.Sprintf("is %q, which is not a name as SQL writes it", s), `write name or schema.name, each part quoted where SQL needs it, as in public."Events"`
	}
	return "", ""
}

func checkOptionalSQLName(s string) (what, do string) {
	if s == "" {
		return "", ""
	}
	return checkSQLName(s)
}

// checkIdentifier accepts an exact name, without quotes.
func checkIdentifier(s string) (what, do string) {
	switch {
	case s == "":
		return "is empty", "write the exact name, without quotes"
	case len(s) > maxIdentifier:
		return fmt.Sprintf("is %d bytes long", len(s)), fmt.Sprintf("PostgreSQL names have at most %d", maxIdentifier)
	}
	return "", ""
}

// checkSlotName accepts what the server accepts.
func checkSlotName(s string) (what, do string) {
	bad := strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	if s == "" || len(s) > maxIdentifier || bad {
		return fmt.Sprintf("is %q, which is not a slot's name", s), fmt.Sprintf("write 1 to %d of a-z, 0-9 and _", maxIdentifier)
	}
	return "", ""
}

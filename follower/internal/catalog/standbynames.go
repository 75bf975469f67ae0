package catalog

import (
	"errors"
	"strings"
)

// errStandbyNames is returned for a synchronous_standby_names that the server
// itself would refuse.
var errStandbyNames = errors.New("not a list of standby names")

// standbyNameMatch returns the entry of a synchronous_standby_names setting
// that makes a walsender called application a synchronous standby, or "".
// The server compares without regard to case, and `*` (also in quotes) is
// everybody (src/backend/replication/syncrep.c, SyncRepGetStandbyPriority).
func standbyNameMatch(setting, application string) (string, error) {
	names, err := parseStandbyNames(setting)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if name == "*" || equalFoldASCII(name, application) {
			return name, nil
		}
	}
	return "", nil
}

// parseStandbyNames lists the names of a synchronous_standby_names setting:
// a plain list, NUM (list), FIRST NUM (list) or ANY NUM (list), as
// src/backend/replication/syncrep_gram.y has it.
func parseStandbyNames(setting string) ([]string, error) {
	tokens, err := standbyTokens(setting)
	if err != nil || len(tokens) == 0 {
		return nil, err
	}
	if tokens[0].kind == standbyKeyword {
		tokens = tokens[1:]
		if len(tokens) < 2 || tokens[0].kind != standbyNumber || tokens[1].kind != '(' {
			return nil, errStandbyNames
		}
	}
	if len(tokens) > 1 && tokens[0].kind == standbyNumber && tokens[1].kind == '(' {
		last := len(tokens) - 1
		if tokens[last].kind != ')' || last < 2 {
			return nil, errStandbyNames
		}
		tokens = tokens[2:last]
	}
	return standbyList(tokens)
}

// standbyList reads names with commas between them.
func standbyList(tokens []standbyToken) ([]string, error) {
	if len(tokens)%2 == 0 {
		return nil, errStandbyNames
	}
	var names []string
	for i, token := range tokens {
		isName := token.kind == standbyName || token.kind == standbyNumber
		switch {
		case i%2 == 0 && isName:
			names = append(names, token.text)
		case i%2 == 1 && token.kind == ',':
		default:
			return nil, errStandbyNames
		}
	}
	return names, nil
}

// standbyToken is a word of the setting; the kind of a mark is the mark.
type standbyToken struct {
	kind byte
	text string
}

const (
	standbyName    = 'n'
	standbyNumber  = '0'
	standbyKeyword = 'k'
)

// standbyTokens splits as src/backend/replication/syncrep_scanner.l does.
func standbyTokens(s string) ([]standbyToken, error) {
	var tokens []standbyToken
	for s != "" {
		c := s[0]
		switch {
		case strings.IndexByte(" \t\n\r\f\v", c) >= 0:
			s = s[1:]
		case c == ',' || c == '(' || c == ')':
			tokens, s = append(tokens, standbyToken{kind: c}), s[1:]
		case c == '*':
			tokens, s = append(tokens, standbyToken{standbyName, "*"}), s[1:]
		case c == '"':
			text, rest, ok := quotedStandbyName(s[1:])
			if !ok {
				return nil, errStandbyNames
			}
			tokens, s = append(tokens, standbyToken{standbyName, text}), rest
		case isDigit(c):
			n := spanOf(s, isDigit)
			tokens, s = append(tokens, standbyToken{standbyNumber, s[:n]}), s[n:]
		case isIdentStart(c):
			n := spanOf(s, isIdentPart)
			tokens, s = append(tokens, standbyWord(s[:n])), s[n:]
		default:
			return nil, errStandbyNames
		}
	}
	return tokens, nil
}

func standbyWord(word string) standbyToken {
	if equalFoldASCII(word, "any") || equalFoldASCII(word, "first") {
		return standbyToken{standbyKeyword, word}
	}
	return standbyToken{standbyName, word}
}

// quotedStandbyName reads up to the closing quote; "" inside is one quote.
func quotedStandbyName(s string) (name, rest string, ok bool) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '"')
		if i < 0 {
			return "", "", false
		}
		b.WriteString(s[:i])
		s = s[i+1:]
		if !strings.HasPrefix(s, `"`) {
			return b.String(), s, true
		}
		b.WriteByte('"')
		s = s[1:]
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isIdentStart(c byte) bool {
	return c == '_' || c >= 0x80 || 'a' <= c|0x20 && c|0x20 <= 'z'
}

func isIdentPart(c byte) bool { return isIdentStart(c) || isDigit(c) || c == '$' }

func spanOf(s string, part func(byte) bool) int {
	n := 0
	for n < len(s) && part(s[n]) {
		n++
	}
	return n
}

// equalFoldASCII is pg_strcasecmp: bytes above 127 compare as they are.
func equalFoldASCII(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lowerASCII(a[i]) != lowerASCII(b[i]) {
			return false
		}
	}
	return true
}

func lowerASCII(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// walsenderName is what the server makes of an application_name: at most 63
// bytes, and nothing but printable ASCII ("?" before version 16, "\xNN" since).
func walsenderName(name string, serverVersion int) string {
	const maxName = 63
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "")
	}
	var b strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case c >= ' ' && c < 0x7f:
			b.WriteByte(c)
		case serverVersion < 160000:
			b.WriteByte('?')
		default:
			const hex = "0123456789abcdef"
			b.WriteString(`\x`)
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

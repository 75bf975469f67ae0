package tracker

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// MaxTokenText is the longest text of a token, in bytes: what ParseToken reads
// and MarshalText writes.
const MaxTokenText = 1 << 20

// tokenVersion begins every text. Another form will get another number.
const tokenVersion = "t1:"

const upperHex = "0123456789ABCDEF"

var (
	_ encoding.TextMarshaler   = Token{}
	_ encoding.TextUnmarshaler = (*Token)(nil)
	_ fmt.Stringer             = Token{}
)

// String returns the token as text, which ParseToken reads back:
//
//	t1:1200                     all up to 1200
//	t1:1200,worker-1=1207       and worker-1 up to 1207
//	t1:-8,a~2Cb=-9              descending; the writer is called "a,b"
//
// Writers stand by name. Letters, digits, '-', '_' and '.' of a name stand for
// themselves, every other byte is '~' and two upper-case hexadecimal digits; so
// the text is ASCII and fits into a URL's query as it is. Equal tokens have
// equal texts.
func (t Token) String() string { return string(t.appendText(nil)) }

func (t Token) appendText(b []byte) []byte {
	b = append(b, tokenVersion...)
	b = strconv.AppendInt(b, t.Position(), 10)
	for _, w := range t.ahead {
		b = append(b, ',')
		b = appendName(b, w.name)
		b = append(b, '=')
		b = strconv.AppendInt(b, t.outward(w.position), 10)
	}
	return b
}

func appendName(b []byte, name string) []byte {
	for i := range len(name) {
		if c := name[i]; plain(c) {
			b = append(b, c)
		} else {
			b = append(b, '~', upperHex[c>>4], upperHex[c&15])
		}
	}
	return b
}

func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}

// MarshalText is String; it refuses a token whose text nobody could read back,
// because it is longer than MaxTokenText.
func (t Token) MarshalText() ([]byte, error) {
	b := t.appendText(nil)
	if len(b) > MaxTokenText {
		return nil, fmt.Errorf("write token: %d bytes with %d writers ahead, more than %d", len(b), len(t.ahead), MaxTokenText)
	}
	return b, nil
}

// UnmarshalText is ParseToken. On an error the token stays what it was.
func (t *Token) UnmarshalText(text []byte) error {
	parsed, err := ParseToken(string(text))
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}

// ParseToken reads the text of a token. It takes the one text that String would
// give and no other, so texts may be compared instead of tokens; the error says
// what is wrong with it and where.
func ParseToken(text string) (Token, error) {
	if len(text) > MaxTokenText {
		return Token{}, fmt.Errorf("parse token: %d bytes, more than %d", len(text), MaxTokenText)
	}
	t, err := parseToken(text)
	if err != nil {
		return Token{}, fmt.Errorf("parse token %s: %w", excerpt(text), err)
	}
	return t, nil
}

func parseToken(text string) (Token, error) {
	rest, ok := strings.CutPrefix(text, tokenVersion)
	if !ok {
		return Token{}, fmt.Errorf("it does not begin with %q", tokenVersion)
	}
	head, entries, more := strings.Cut(rest, ",")
	position, err := parsePosition(head)
	if err != nil {
		return Token{}, err
	}
	// A token with writers ahead of position 0 runs the way they do.
	t := Token{position: max(position, -position), descending: position < 0}
	for more {
		var entry string
		entry, entries, more = strings.Cut(entries, ",")
		if err := t.parseWriter(entry); err != nil {
			return Token{}, err
		}
	}
	return t, nil
}

// parseWriter reads name=position and adds it, which must be in order.
func (t *Token) parseWriter(entry string) error {
	escaped, number, ok := strings.Cut(entry, "=")
	if !ok {
		return fmt.Errorf("writer %s has no '=' and position", excerpt(entry))
	}
	name, err := parseName(escaped)
	if err != nil {
		return err
	}
	if n := len(t.ahead); n > 0 && t.ahead[n-1].name >= name {
		return fmt.Errorf("writer %s does not come after %s by name", excerpt(name), excerpt(t.ahead[n-1].name))
	}
	position, err := parsePosition(number)
	if err != nil {
		return fmt.Errorf("writer %s: %w", excerpt(name), err)
	}
	if t.zero() {
		t.descending = position < 0
	}
	if (position < 0) != t.descending || max(position, -position) <= t.position {
		return fmt.Errorf("writer %s at %d is not ahead of %d", excerpt(name), position, t.Position())
	}
	t.ahead = append(t.ahead, writerAhead{name, max(position, -position)})
	return nil
}

func parsePosition(number string) (int64, error) {
	n, err := strconv.ParseInt(number, 10, 64)
	if errors.Is(err, strconv.ErrRange) || n == math.MinInt64 {
		return 0, fmt.Errorf("position %s is out of range", excerpt(number))
	}
	if err != nil || strconv.FormatInt(n, 10) != number {
		return 0, fmt.Errorf("position %s is not a plain whole number", excerpt(number))
	}
	return n, nil
}

func parseName(escaped string) (string, error) {
	name := make([]byte, 0, len(escaped))
	for i := 0; i < len(escaped); i++ {
		c := escaped[i]
		if plain(c) {
			name = append(name, c)
			continue
		}
		if c != '~' || len(escaped)-i < 3 {
			return "", fmt.Errorf("writer %s: byte %d is not escaped as '~' and two digits", excerpt(escaped), i)
		}
		high, low := strings.IndexByte(upperHex, escaped[i+1]), strings.IndexByte(upperHex, escaped[i+2])
		if high < 0 || low < 0 || plain(byte(high<<4|low)) {
			return "", fmt.Errorf("writer %s: %s stands for no byte that needs it", excerpt(escaped), excerpt(escaped[i:i+3]))
		}
		name = append(name, byte(high<<4|low))
		i += 2
	}
	return string(name), nil
}

// excerpt quotes the beginning of a text from elsewhere.
func excerpt(text string) string {
	const longest = 64
	if len(text) <= longest {
		return strconv.Quote(text)
	}
	return strconv.Quote(text[:longest]) + "…"
}

package tracker

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// plainToken is the second opinion: a position and a map, and every question
// answered from what the token means.
type plainToken struct {
	position int64
	writers  map[string]int64 // as users see them
}

func (p plainToken) covers(writer string, id int64) bool {
	least, most := p.position, p.position
	if at, ok := p.writers[writer]; ok {
		least, most = min(least, at), max(most, at)
	}
	return id == 0 || id > 0 && id <= most || id < 0 && id != math.MinInt64 && id >= least
}

// tokenNames include everything that the text form uses itself.
func tokenNames() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"", "a", "b", "a=1", "a,b=2", "~41", "t1:0", "é", "%", "日本", "a b\n"}),
		rapid.String(),
	)
}

func plainTokens(sign int64) *rapid.Generator[plainToken] {
	return rapid.Custom(func(t *rapid.T) plainToken {
		ids := rapid.OneOf(rapid.Int64Range(0, 6), rapid.Just[int64](math.MaxInt64))
		p := plainToken{position: sign * ids.Draw(t, "position"), writers: map[string]int64{}}
		for name, at := range rapid.MapOfN(tokenNames(), ids, 0, 4).Draw(t, "writers") {
			p.writers[name] = sign * at
		}
		return p
	})
}

func tokens(sign int64) *rapid.Generator[Token] {
	return rapid.Custom(func(t *rapid.T) Token { return made(t, plainTokens(sign).Draw(t, "plain")) })
}

// anyTokens run in either direction.
func anyTokens() *rapid.Generator[Token] { return rapid.OneOf(tokens(1), tokens(-1)) }

type failer interface{ Fatalf(string, ...any) }

func made(t failer, p plainToken) Token {
	tok, err := NewToken(p.position, p.writers)
	if err != nil {
		t.Fatalf("NewToken(%d, %v): %v", p.position, p.writers, err)
	}
	return tok
}

func merged(t failer, a, b Token) Token {
	m, err := a.Merge(b)
	if err != nil {
		t.Fatalf("merge %v and %v: %v", a, b, err)
	}
	return m
}

func signs() *rapid.Generator[int64] { return rapid.SampledFrom([]int64{1, -1}) }

func TestTokenMergeIsALeastUpperBound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		some := tokens(signs().Draw(t, "sign"))
		a, b, c := some.Draw(t, "a"), some.Draw(t, "b"), some.Draw(t, "c")
		ab := merged(t, a, b)
		if ba := merged(t, b, a); !ab.Equal(ba) || ab.String() != ba.String() {
			t.Fatalf("%v merged with %v: %v, the other way round %v", a, b, ab, ba)
		}
		if left, right := merged(t, ab, c), merged(t, a, merged(t, b, c)); !left.Equal(right) {
			t.Fatalf("(ab)c = %v, a(bc) = %v", left, right)
		}
		if aa := merged(t, a, a); !aa.Equal(a) || aa.String() != a.String() {
			t.Fatalf("%v merged with itself: %v", a, aa)
		}
		if !a.within(ab) || !b.within(ab) {
			t.Fatalf("%v is not at or after both %v and %v", ab, a, b)
		}
		if a.within(c) && b.within(c) && !ab.within(c) {
			t.Fatalf("%v is above %v and %v but not above %v: not the least", c, a, b, ab)
		}
		if a.within(b) && !merged(t, a, c).within(merged(t, b, c)) {
			t.Fatalf("merging %v turns %v, within %v, around", c, a, b)
		}
	})
}

func TestTokenCompareIsAPartialOrder(t *testing.T) {
	t.Parallel()
	mirror := map[Order]Order{
		OrderEqual: OrderEqual, OrderBefore: OrderAfter, OrderAfter: OrderBefore, OrderConcurrent: OrderConcurrent,
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := anyTokens().Draw(t, "a"), anyTokens().Draw(t, "b"), anyTokens().Draw(t, "c")
		if a.Compare(a) != OrderEqual {
			t.Fatalf("%v is %v to itself", a, a.Compare(a))
		}
		if got := b.Compare(a); got != mirror[a.Compare(b)] {
			t.Fatalf("%v is %v to %v, which is %v to it", a, a.Compare(b), b, got)
		}
		if a.Equal(b) != (a.String() == b.String()) {
			t.Fatalf("%v and %v: equal %v, but their texts say otherwise", a, b, a.Equal(b))
		}
		if a.within(b) && b.within(c) && !a.within(c) {
			t.Fatalf("%v within %v within %v", a, b, c)
		}
	})
}

// TestTokenAgreesWithItsMeaning asks about every id near the ends, of known and
// unknown writers.
func TestTokenAgreesWithItsMeaning(t *testing.T) {
	t.Parallel()
	ids := []int64{math.MinInt64, math.MinInt64 + 1, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, math.MaxInt64}
	rapid.Check(t, func(t *rapid.T) {
		sign := signs().Draw(t, "sign")
		p, q := plainTokens(sign).Draw(t, "p"), plainTokens(sign).Draw(t, "q")
		a, b := made(t, p), made(t, q)
		m := merged(t, a, b)
		more, less := false, false // a covers something that b does not; the reverse
		for _, w := range writersOf(p, q) {
			for _, id := range ids {
				inA, inB := p.covers(w, id), q.covers(w, id)
				if a.Covers(w, id) != inA {
					t.Fatalf("%v covers (%q, %d): %v, want %v", a, w, id, !inA, inA)
				}
				if m.Covers(w, id) != (inA || inB) {
					t.Fatalf("%v, of %v and %v, covers (%q, %d): %v", m, a, b, w, id, m.Covers(w, id))
				}
				more, less = more || inA && !inB, less || inB && !inA
			}
		}
		want := map[[2]bool]Order{{false, false}: OrderEqual, {true, false}: OrderAfter, {false, true}: OrderBefore, {true, true}: OrderConcurrent}[[2]bool{more, less}]
		if got := a.Compare(b); got != want {
			t.Fatalf("%v is %v to %v, want %v", a, got, b, want)
		}
	})
}

// writersOf are the writers of the tokens and one of neither.
func writersOf(tokens ...plainToken) []string {
	all := []string{"\x00 a writer of whom nobody ever heard"}
	for _, p := range tokens {
		for w := range p.writers {
			all = append(all, w)
		}
	}
	return all
}

func TestTokenTextRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := anyTokens().Draw(t, "a")
		text, err := a.MarshalText()
		if err != nil {
			t.Fatalf("marshal: %v", err)
		}
		var b Token
		if err := b.UnmarshalText(text); err != nil {
			t.Fatalf("unmarshal %s: %v", text, err)
		}
		if !a.Equal(b) || b.String() != string(text) {
			t.Fatalf("%s came back as %v", text, b)
		}
		for _, c := range text {
			if !plain(c) && !strings.ContainsRune(":,=~", rune(c)) {
				t.Fatalf("%s holds %q, which a query would not take", text, c)
			}
		}
	})
}

func TestTokenText(t *testing.T) {
	t.Parallel()
	for text, p := range map[string]plainToken{
		"t1:0":                      {},
		"t1:7":                      {position: 7, writers: map[string]int64{"behind": 3, "level": 7}},
		"t1:0,a=1":                  {writers: map[string]int64{"a": 1}},
		"t1:0,a=-1":                 {writers: map[string]int64{"a": -1}},
		"t1:-8,=-10,a~2Cb=-9":       {position: -8, writers: map[string]int64{"a,b": -9, "": -10}},
		"t1:1200,worker-1_b.c=1207": {position: 1200, writers: map[string]int64{"worker-1_b.c": 1207}},
		"t1:1,~7E~3D~00~C3~A9=2":    {position: 1, writers: map[string]int64{"~=\x00é": 2}},
		"t1:-9223372036854775807":   {position: -math.MaxInt64},
		"t1:9223372036854775806,a=9223372036854775807": {position: math.MaxInt64 - 1, writers: map[string]int64{"a": math.MaxInt64}},
	} {
		if got := made(t, p).String(); got != text {
			t.Errorf("%v is %s, want %s", p, got, text)
		}
	}
}

func TestParseTokenRefuses(t *testing.T) {
	t.Parallel()
	for text, why := range map[string]string{
		"":                                  "does not begin",
		"42":                                "does not begin",
		"t2:5":                              "does not begin",
		"t1:":                               `position "" is not a plain`,
		"t1:+5":                             "not a plain",
		"t1:05":                             "not a plain",
		"t1:-0":                             "not a plain",
		"t1:5 ":                             "not a plain",
		"t1:9223372036854775808":            "out of range",
		"t1:-9223372036854775808":           "out of range",
		"t1:5,":                             "no '='",
		"t1:5,a":                            "no '='",
		"t1:5,a=":                           `writer "a": position ""`,
		"t1:5,a=5":                          "not ahead",
		"t1:5,a=-6":                         "not ahead",
		"t1:-5,a=6":                         "not ahead",
		"t1:0,a=0":                          "not ahead",
		"t1:0,a=-1,b=1":                     "not ahead",
		"t1:5,b=6,a=6":                      "does not come after",
		"t1:5,a=6,a=7":                      "does not come after",
		"t1:5,a b=6":                        "not escaped",
		"t1:5,~4=6":                         "not escaped",
		"t1:5,~2c=6":                        "no byte that needs it",
		"t1:5,~41=6":                        "no byte that needs it",
		"t1:5,a=6=7":                        "not a plain",
		"t1:5;a=6":                          "not a plain",
		strings.Repeat("x", 1<<20+1):        "more than 1048576",
		"t1:5," + strings.Repeat("x", 1000): "…",
	} {
		tok, err := ParseToken(text)
		if err == nil || !strings.Contains(err.Error(), why) || !strings.HasPrefix(err.Error(), "parse token") {
			t.Errorf("ParseToken(%.40q) = %v, %v; want an error with %q", text, tok, err, why)
		}
		if err != nil && len(err.Error()) > 250 {
			t.Errorf("ParseToken(%.40q): the error has %d bytes", text, len(err.Error()))
		}
	}
}

func TestTokenTooLongIsNotWritten(t *testing.T) {
	t.Parallel()
	tok := made(t, plainToken{writers: map[string]int64{strings.Repeat("é", MaxTokenText/6): 5}})
	if text, err := tok.MarshalText(); err == nil || !strings.Contains(err.Error(), "1 writers ahead, more than") {
		t.Errorf("MarshalText gave %d bytes, %v", len(text), err)
	}
}

func TestTokenUnmarshalKeepsTheTokenOnError(t *testing.T) {
	t.Parallel()
	tok := made(t, plainToken{position: 5})
	if err := tok.UnmarshalText([]byte("t1:x")); err == nil || tok.Position() != 5 {
		t.Errorf("UnmarshalText: %v, left %v", err, tok)
	}
}

func TestTokensOfOppositeDirections(t *testing.T) {
	t.Parallel()
	up, down := made(t, plainToken{position: 3}), made(t, plainToken{position: -3})
	if m, err := up.Merge(down); err == nil || !strings.Contains(err.Error(), "3 and -3") {
		t.Errorf("merged into %v, %v", m, err)
	}
	if got := up.Compare(down); got != OrderConcurrent {
		t.Errorf("Compare = %v", got)
	}
	if m := merged(t, Token{}, down); !m.Equal(down) || (Token{}).Compare(down) != OrderBefore {
		t.Errorf("the zero token merged with %v is %v", down, m)
	}
	for _, mixed := range []plainToken{
		{position: 3, writers: map[string]int64{"a": -1}},
		{position: -3, writers: map[string]int64{"a": 1}},
		{writers: map[string]int64{"a": -1, "b": 1}},
		{position: math.MinInt64},
		{writers: map[string]int64{"a": math.MinInt64}},
	} {
		if tok, err := NewToken(mixed.position, mixed.writers); err == nil {
			t.Errorf("NewToken(%d, %v) = %v, want an error", mixed.position, mixed.writers, tok)
		}
	}
}

func TestTokenOfATracker(t *testing.T) {
	t.Parallel()
	for _, sign := range []int64{1, -1} {
		tr, err := New(Config{Stream: "events", Descending: sign < 0, Writers: []string{"a", "b", "silent"}})
		if err != nil {
			t.Fatal(err)
		}
		tr.Settle(sign * 10)
		tr.Announce("a", sign*14)
		tr.Announce("b", sign*7)
		tr.Observe("c", sign*12)
		tok := tr.Token()
		if want := fmt.Sprintf("t1:%d,a=%d", sign*10, sign*14); tok.String() != want {
			t.Errorf("token %v, want %s", tok, want)
		}
		if tok.Position() != sign*10 || tok.PositionFor("a") != sign*14 || tok.PositionFor("b") != sign*10 {
			t.Errorf("positions of %v: %d, a %d, b %d", tok, tok.Position(), tok.PositionFor("a"), tok.PositionFor("b"))
		}
		if got := maps.Collect(tok.Ahead()); len(got) != 1 || got["a"] != sign*14 {
			t.Errorf("ahead of %v: %v", tok, got)
		}
		tr.Settle(sign * 20)
		if tok.Position() != sign*10 || tok.Compare(tr.Token()) != OrderBefore {
			t.Errorf("%v changed with its tracker, now at %v", tok, tr.Token())
		}
	}
}

func TestTokenInJSON(t *testing.T) {
	t.Parallel()
	in := map[string]Token{"events": made(t, plainToken{position: 4, writers: map[string]int64{"a": 9}})}
	text, err := json.Marshal(in)
	if err != nil || string(text) != `{"events":"t1:4,a=9"}` {
		t.Fatalf("%s, %v", text, err)
	}
	var out map[string]Token
	if err := json.Unmarshal(text, &out); err != nil || !out["events"].Equal(in["events"]) {
		t.Errorf("%v, %v", out, err)
	}
}

func FuzzParseToken(f *testing.F) {
	for _, seed := range []string{
		"t1:0", "t1:-8,=-10,a~2Cb=-9", "t1:1200,worker-1=1207", "t1:5,a=6,a=7", "t1:0,a=-1,b=1", "t1:5,~4", "t2:", "t1:-9223372036854775808",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tok, err := ParseToken(text)
		if err != nil {
			if !tok.Equal(Token{}) {
				t.Fatalf("%q: %v beside an error", text, tok)
			}
			return
		}
		if got := tok.String(); got != text {
			t.Fatalf("%q was taken, and is written %q", text, got)
		}
		made, err := NewToken(tok.Position(), maps.Collect(tok.Ahead()))
		if err != nil || !made.Equal(tok) || made.String() != text {
			t.Fatalf("%q: made anew %v, %v", text, made, err)
		}
	})
}

package decoder_test

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-pg/tidemark/decoder"
)

func TestInt64(t *testing.T) {
	const junk = math.MinInt64 + 1 // stands for an error
	binary := func(b ...byte) decoder.Value { return decoder.Value{Kind: decoder.ValueBinary, Bytes: b} }
	for _, c := range []struct {
		value decoder.Value
		typ   uint32
		want  int64
		err   string
	}{
		{text("0"), decoder.TypeInt8, 0, ""},
		{text("-1"), decoder.TypeInt8, -1, ""},
		{text("9223372036854775807"), decoder.TypeInt8, math.MaxInt64, ""},
		{text("-9223372036854775808"), decoder.TypeInt8, math.MinInt64, ""},
		{text("9223372036854775808"), decoder.TypeInt8, junk, `"9223372036854775808" is no int8`},
		{text("-9223372036854775809"), decoder.TypeInt8, junk, `"-9223372036854775809" is no int8`},
		{text("18446744073709551617"), decoder.TypeInt8, junk, `"18446744073709551617" is no int8`},
		{text("2147483647"), decoder.TypeInt4, math.MaxInt32, ""},
		{text("2147483648"), decoder.TypeInt4, junk, `"2147483648" is no int4`},
		{text("-2147483648"), decoder.TypeInt4, math.MinInt32, ""},
		{text("-2147483649"), decoder.TypeInt4, junk, `"-2147483649" is no int4`},
		{text("32767"), decoder.TypeInt2, math.MaxInt16, ""},
		{text("32768"), decoder.TypeInt2, junk, `"32768" is no int2`},
		{text("-32768"), decoder.TypeInt2, math.MinInt16, ""},
		{text("-32769"), decoder.TypeInt2, junk, `"-32769" is no int2`},
		{text(""), decoder.TypeInt8, junk, `"" is no int8`},
		{text("-"), decoder.TypeInt8, junk, `"-" is no int8`},
		{text("+1"), decoder.TypeInt8, junk, `"+1" is no int8`},
		{text(" 1"), decoder.TypeInt8, junk, `" 1" is no int8`},
		{text("1\x00"), decoder.TypeInt8, junk, `"1\x00" is no int8`},
		{text("01"), decoder.TypeInt8, junk, `"01" is no int8`},
		{text("-0"), decoder.TypeInt8, junk, `"-0" is no int8`},
		{text("1_000"), decoder.TypeInt8, junk, `"1_000" is no int8`},
		{text("0x1"), decoder.TypeInt8, junk, `"0x1" is no int8`},
		{text("1.0"), decoder.TypeInt8, junk, `"1.0" is no int8`},
		{text("１"), decoder.TypeInt8, junk, `"１" is no int8`},
		{text(strings.Repeat("9", 50)), decoder.TypeInt8, junk, `"` + strings.Repeat("9", 40) + `"… (50 bytes) is no int8`},
		{binary(0x80, 0, 0, 0, 0, 0, 0, 0), decoder.TypeInt8, math.MinInt64, ""},
		{binary(0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), decoder.TypeInt8, math.MaxInt64, ""},
		{binary(0xff, 0xff, 0xff, 0xfe), decoder.TypeInt4, -2, ""},
		{binary(0x80, 0), decoder.TypeInt2, math.MinInt16, ""},
		{binary(0, 0, 0, 1), decoder.TypeInt8, junk, "a binary int8 of 4 bytes"},
		{binary(0, 0, 0, 0, 0, 0, 0, 1), decoder.TypeInt4, junk, "a binary int4 of 8 bytes"},
		{binary(1), decoder.TypeInt2, junk, "a binary int2 of 1 bytes"},
		{binary(), decoder.TypeInt8, junk, "a binary int8 of 0 bytes"},
		{text("1"), 25, junk, "type 25 is neither int2, int4 nor int8"},
		{binary(0, 0, 0, 0, 0, 0, 0, 1), 1700, junk, "type 1700 is neither int2, int4 nor int8"},
		{null(), decoder.TypeInt8, junk, "the int8 is null"},
		{decoder.Value{Kind: decoder.ValueUnchanged}, decoder.TypeInt4, junk, "the int4 was not sent (unchanged TOAST)"},
		{decoder.Value{}, decoder.TypeInt8, junk, "no such column"},
	} {
		n, err := c.value.Int64(c.typ)
		switch {
		case c.err == "":
			if err != nil || n != c.want {
				t.Errorf("%c%q as %d: %d, %v; want %d", c.value.Kind, c.value.Bytes, c.typ, n, err, c.want)
			}
		case !errors.Is(err, decoder.ErrNotInteger) || err.Error() != "not an integer: "+c.err || n != 0:
			t.Errorf("%c%q as %d: %d, %v; want %q", c.value.Kind, c.value.Bytes, c.typ, n, err, c.err)
		}
	}
}

// Text is an integer exactly if it is what the standard library would write.
func TestInt64IsCanonical(t *testing.T) {
	bits := map[uint32]int{decoder.TypeInt2: 16, decoder.TypeInt4: 32, decoder.TypeInt8: 64}
	rapid.Check(t, func(t *rapid.T) {
		typ := rapid.SampledFrom([]uint32{decoder.TypeInt2, decoder.TypeInt4, decoder.TypeInt8}).Draw(t, "type")
		s := rapid.OneOf(
			rapid.Map(rapid.Int64(), func(n int64) string { return strconv.FormatInt(n, 10) }),
			rapid.Map(rapid.Uint64(), func(n uint64) string { return strconv.FormatUint(n, 10) }),
			rapid.StringMatching(`[-+]?[0-9]{0,21}[ x_]?`),
		).Draw(t, "text")
		want, werr := strconv.ParseInt(s, 10, bits[typ])
		sound := werr == nil && strconv.FormatInt(want, 10) == s
		got, err := text(s).Int64(typ)
		if sound != (err == nil) || sound && got != want {
			t.Fatalf("%q as type %d: %d, %v; the standard library says %d, %v", s, typ, got, err, want, werr)
		}
	})
}

// One byte that is no digit spoils a number of any length, wherever it stands.
func TestInt64EveryByteCounts(t *testing.T) {
	const digits = "1234567890123456789"
	for n := 1; n <= len(digits); n++ {
		for i := range n {
			for c := range 256 {
				b := []byte(digits[:n])
				b[i] = byte(c)
				want, werr := strconv.ParseInt(string(b), 10, 64)
				sound := werr == nil && strconv.FormatInt(want, 10) == string(b)
				got, err := text(string(b)).Int64(decoder.TypeInt8)
				if sound != (err == nil) || sound && got != want {
					t.Fatalf("%q: %d, %v; the standard library says %d, %v", b, got, err, want, werr)
				}
			}
		}
	}
}

func TestTupleOutOfRange(t *testing.T) {
	d := newDecoder(t, decoder.Config{})
	e := replay(t, d, beginBytes(1, when, 1), relationBytes(events()), insertBytes(events().OID, values{text("1"), null()}))
	for _, i := range []int{-1, 2, math.MaxInt, math.MinInt} {
		if v := e.New.Value(i); v.Kind != 0 || v.Bytes != nil {
			t.Errorf("column %d of 2: %+v", i, v)
		}
	}
	if v := (decoder.Tuple{}).Value(0); v.Kind != 0 || v.Bytes != nil {
		t.Errorf("column 0 of no columns: %+v", v)
	}
}

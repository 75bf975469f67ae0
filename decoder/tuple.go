package decoder

import "encoding/binary"

// The kinds of a Value.
const (
	ValueNull      = 'n' // SQL null
	ValueUnchanged = 'u' // an unchanged TOASTed value, which the server does not send
	ValueText      = 't' // in the type's text format
	ValueBinary    = 'b' // in the type's binary format
)

// Value is one column's value. The zero Value, of Kind 0, is what Tuple.Value
// gives for a column that is not there.
type Value struct {
	// Kind is ValueNull, ValueUnchanged, ValueText or ValueBinary.
	Kind byte
	// Bytes of a text or binary value; they lie in the message. Otherwise nil.
	Bytes []byte
}

// Tuple is a row's values, one for each column of its relation, in that order.
// Decode has checked it to the end, so access cannot fail. It lies in the
// message and lives as long as the Event. The zero Tuple has no columns.
type Tuple struct {
	data []byte
	n    int
}

// Len returns the number of columns.
func (t Tuple) Len() int { return t.n }

// Value returns the value of column i; the zero Value if i is not in
// [0, Len()). It walks over the columns before i.
func (t Tuple) Value(i int) Value {
	if uint(i) >= uint(t.n) {
		return Value{}
	}
	p := t.data
	for ; i > 0; i-- {
		p = p[width(p):]
	}
	w := width(p)
	if w == 1 {
		return Value{Kind: p[0]}
	}
	return Value{Kind: p[0], Bytes: p[valueHead:w:w]}
}

// valueHead is the kind and the length before the bytes of a value.
const valueHead = 1 + 4

// width returns the bytes the column at the front of p takes; p is sound.
func width(p []byte) int {
	if p[0] == ValueNull || p[0] == ValueUnchanged {
		return 1
	}
	return valueHead + int(binary.BigEndian.Uint32(p[1:]))
}

// tuple reads a marker and TupleData: Int16(columns), then for each
// Byte1(kind) and, with text and binary, Int32(length) Byten(value). It must have
// the given columns.
func (r *reader) tuple(marker byte, columns int) Tuple {
	p := r.msg[r.off:]
	if len(p) < tupleHead || p[0] != marker || int(binary.BigEndian.Uint16(p[1:])) != columns {
		r.badHead(marker, columns)
		return Tuple{}
	}
	start := r.off + tupleHead
	end := start
	for i := range columns {
		w := soundWidth(r.msg[end:])
		if w == 0 {
			r.off = end
			r.badValue(i)
			return Tuple{}
		}
		end += w
	}
	r.off = end
	return Tuple{data: r.msg[start:end:end], n: columns}
}

// tupleHead is the marker and the column count before the values.
const tupleHead = 1 + 2

// badHead says what is wrong with a tuple's marker or column count.
func (r *reader) badHead(marker byte, columns int) {
	at := r.off
	if b := r.uint8("row's marker"); b != marker {
		r.fail(ErrMalformed, at, "row's marker is 0x%02x, not %q", b, marker)
	}
	at = r.off
	n := r.uint16("column count")
	r.fail(ErrMalformed, at, "row has %d columns, its relation %d", n, columns)
}

// soundWidth returns the bytes the value at the front of p takes, 0 if it is
// not sound.
func soundWidth(p []byte) int {
	if len(p) == 0 {
		return 0
	}
	switch p[0] {
	case ValueNull, ValueUnchanged:
		return 1
	case ValueText, ValueBinary:
		if len(p) < valueHead {
			return 0
		}
		n := binary.BigEndian.Uint32(p[1:])
		if uint64(n) > uint64(len(p)-valueHead) {
			return 0
		}
		return valueHead + int(n)
	default:
		return 0
	}
}

// badValue says what is wrong with the value of column i, at which soundWidth
// only found that something is.
func (r *reader) badValue(i int) {
	r.column = i + 1
	at := r.off
	switch kind := r.uint8("value's kind"); kind {
	case ValueText, ValueBinary:
		r.sized("length")
	default:
		r.fail(ErrMalformed, at, "unknown kind of value 0x%02x", kind)
	}
}

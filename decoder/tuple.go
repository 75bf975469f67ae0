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

// tuple reads TupleData: Int16(columns), then for each Byte1(kind) and, with
// text and binary, Int32(length) Byten(value). It must have the given columns.
func (r *reader) tuple(columns int) Tuple {
	at := r.off
	n := int(r.uint16("column count"))
	if n != columns {
		r.fail(ErrMalformed, at, "row has %d columns, its relation %d", n, columns)
		return Tuple{}
	}
	start := r.off
	for i := range n {
		if !r.skipValue(i) {
			return Tuple{}
		}
	}
	return Tuple{data: r.msg[start:r.off:r.off], n: n}
}

// skipValue moves behind the value of column i if it is sound.
func (r *reader) skipValue(i int) bool {
	p := r.msg[r.off:]
	if len(p) == 0 {
		return r.badValue(i)
	}
	switch p[0] {
	case ValueNull, ValueUnchanged:
		r.off++
		return true
	case ValueText, ValueBinary:
		if len(p) < valueHead {
			return r.badValue(i)
		}
		n := binary.BigEndian.Uint32(p[1:])
		if uint64(n) > uint64(len(p)-valueHead) {
			return r.badValue(i)
		}
		r.off += valueHead + int(n)
		return true
	default:
		return r.badValue(i)
	}
}

// badValue says what is wrong with the value of column i, which skipValue only
// found to be so. It returns false.
func (r *reader) badValue(i int) bool {
	r.column = i + 1
	at := r.off
	switch kind := r.uint8("value's kind"); kind {
	case ValueText, ValueBinary:
		r.sized("length")
	default:
		r.fail(ErrMalformed, at, "unknown kind of value 0x%02x", kind)
	}
	return false
}

package decoder_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemark-pg/tidemark/decoder"
)

// The connection's buffer is used again at once: what may be kept of an event
// (relations, interned names, integers, errors) must not lie in it.
func TestNothingKeptLiesInTheMessage(t *testing.T) {
	d := newDecoder(t, decoder.Config{})
	buf := make([]byte, 0, 1<<10)
	receive := func(msg []byte) (*decoder.Event, error) {
		buf = append(buf[:0], msg...)
		return d.Decode(buf)
	}
	poison := func() { copy(buf[:cap(buf)], bytes.Repeat([]byte{0xdb}, cap(buf))) }

	replay(t, d, beginBytes(1, when, 1))
	e, err := receive(relationBytes(events()))
	if err != nil {
		t.Fatal(err)
	}
	rel := e.Relation
	poison()
	if diff := cmp.Diff(events(), rel); diff != "" {
		t.Errorf("the relation changed with the buffer:\n%s", diff)
	}

	if e, err = receive(insertBytes(rel.OID, values{text("x7"), text("writer-1")})); err != nil {
		t.Fatal(err)
	}
	name := d.Intern(e.New.Value(1).Bytes)
	_, notInteger := e.New.Value(0).Int64(decoder.TypeInt8)
	poison()
	if name != "writer-1" || d.Intern([]byte("writer-1")) != "writer-1" {
		t.Errorf("the name changed with the buffer: %q", name)
	}
	if notInteger == nil || notInteger.Error() != `not an integer: "x7" is no int8` {
		t.Errorf("the error changed with the buffer: %v", notInteger)
	}

	_, err = receive([]byte{'I', 0})
	before := err.Error()
	poison()
	if err.Error() != before {
		t.Errorf("the error changed with the buffer: %q, was %q", err, before)
	}
}

// A value's slice ends with it: appending to it cannot overwrite the next one.
func TestSlicesAreCapped(t *testing.T) {
	d := newDecoder(t, decoder.Config{})
	e := replay(t, d, beginBytes(1, when, 1), relationBytes(events()), insertBytes(events().OID, values{text("1"), text("w")}))
	for i := range 2 {
		if b := e.New.Value(i).Bytes; cap(b) != len(b) {
			t.Errorf("value %d has %d bytes and capacity %d", i, len(b), cap(b))
		}
	}
	m := replay(t, d, messageBytes(true, 1, "prefix", []byte("content"))).Message
	if cap(m.Prefix) != len(m.Prefix) || cap(m.Content) != len(m.Content) {
		t.Errorf("prefix %d/%d, content %d/%d", len(m.Prefix), cap(m.Prefix), len(m.Content), cap(m.Content))
	}
}

package decoder_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/decoder"
)

// events is the relation most tests use: what a stream's column list leaves.
func events() *decoder.Relation {
	return &decoder.Relation{
		OID: 16390, Namespace: "public", Name: "events", ReplicaIdentity: 'd',
		Columns: []decoder.Column{
			{Name: "id", TypeOID: decoder.TypeInt8, TypeModifier: -1, Key: true},
			{Name: "instance_name", TypeOID: 25, TypeModifier: -1},
		},
	}
}

var when = time.Date(2024, 2, 29, 12, 30, 0, 123456000, time.UTC)

// everyMessage is a sound session with every kind of message in every form.
func everyMessage() [][]byte {
	rel := events()
	row := values{text("1"), text("writer-1")}
	return [][]byte{
		messageBytes(false, 0x99, "outside", []byte("x")),
		beginBytes(0x100, when, 742),
		originBytes(0x16_B374D848, "elsewhere"),
		typeBytes(16384, "public", "mood"),
		relationBytes(rel),
		insertBytes(rel.OID, row),
		insertBytes(rel.OID, values{binary8(-2), null()}),
		insertBytes(rel.OID, values{text(""), {Kind: decoder.ValueUnchanged}}),
		updateBytes(rel.OID, 0, nil, row),
		updateBytes(rel.OID, 'K', values{text("0"), null()}, row),
		updateBytes(rel.OID, 'O', row, row),
		deleteBytes(rel.OID, 'K', values{binary8(1), null()}),
		deleteBytes(rel.OID, 'O', row),
		truncateBytes(3, rel.OID, 77),
		truncateBytes(0, 77),
		messageBytes(true, 0x101, "tidemark", nil),
		messageBytes(false, 0x102, "", []byte{0, 1, 2}),
		relationBytes(&decoder.Relation{OID: 5, ReplicaIdentity: 'n'}),
		insertBytes(5, nil),
		commitBytes(0x100, 0x130, when),
	}
}

func newDecoder(tb testing.TB, cfg decoder.Config) *decoder.Decoder {
	tb.Helper()
	d, err := decoder.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// replay decodes messages that are known to be sound.
func replay(tb testing.TB, d *decoder.Decoder, msgs ...[]byte) *decoder.Event {
	tb.Helper()
	var e *decoder.Event
	for i, msg := range msgs {
		var err error
		if e, err = d.Decode(msg); err != nil {
			tb.Fatalf("message %d: %v", i, err)
		}
	}
	return e
}

// wantError checks what is promised of every error.
func wantError(tb testing.TB, d *decoder.Decoder, msg []byte, err error) *decoder.Error {
	tb.Helper()
	var e *decoder.Error
	if !errors.As(err, &e) {
		tb.Fatalf("%x: error is %T (%v), want *Error", msg, err, err)
	}
	if e.Offset < 0 || e.Offset > len(msg) {
		tb.Fatalf("%x: offset %d is outside the message's %d bytes: %v", msg, e.Offset, len(msg), e)
	}
	if len(msg) > 0 && e.Message != msg[0] {
		tb.Fatalf("%x: error names message %q: %v", msg, e.Message, e)
	}
	classes := []error{decoder.ErrMalformed, decoder.ErrSequence, decoder.ErrUnsupported, decoder.ErrUnknownRelation}
	if n := len(slices.DeleteFunc(classes, func(c error) bool { return !errors.Is(err, c) })); n != 1 {
		tb.Fatalf("%x: error is of %d classes: %v", msg, n, err)
	}
	if _, again := d.Decode(beginBytes(1, when, 1)); again != err {
		tb.Fatalf("%x: after %v the next call says %v", msg, err, again)
	}
	return e
}

func TestErrorStaysUntilReset(t *testing.T) {
	d := newDecoder(t, decoder.Config{})
	replay(t, d, beginBytes(0x100, when, 1), relationBytes(events()))
	e, err := d.Decode([]byte{'?'})
	if e != nil {
		t.Fatalf("event %v beside an error", e)
	}
	wantError(t, d, []byte{'?'}, err)

	d.Reset()
	replay(t, d, beginBytes(0x200, when, 2)) // the open transaction is forgotten
	msg := insertBytes(events().OID, values{text("1"), null()})
	_, err = d.Decode(msg)
	if !errors.Is(err, decoder.ErrUnknownRelation) {
		t.Fatalf("row of a relation of the last session: %v", err)
	}
	wantError(t, d, msg, err)
}

func TestConfigIsChecked(t *testing.T) {
	_, err := decoder.New(decoder.Config{Relations: -1, Names: -2})
	const want = "configure decoder: negative Relations: -1\nnegative Names: -2"
	if err == nil || err.Error() != want {
		t.Fatalf("got %v, want %q", err, want)
	}
}

// The relation used last is remembered beside the cache; that must neither
// keep an evicted one alive nor let a used one be evicted.
func TestRelationsEvictLeastRecentlyUsed(t *testing.T) {
	describe := func(oid uint32) []byte {
		return relationBytes(&decoder.Relation{OID: oid, ReplicaIdentity: 'd'})
	}
	row := func(oid uint32) []byte { return insertBytes(oid, nil) }
	for name, c := range map[string]struct {
		relations int
		session   [][]byte
		sound     bool
	}{
		"one":               {1, [][]byte{describe(1), describe(2), row(1)}, false},
		"oldest goes":       {2, [][]byte{describe(1), describe(2), describe(3), row(1)}, false},
		"row refreshes":     {2, [][]byte{describe(1), describe(2), row(1), row(1), describe(3), row(1)}, true},
		"and ages others":   {2, [][]byte{describe(1), describe(2), row(1), row(1), describe(3), row(2)}, false},
		"described again":   {2, [][]byte{describe(1), describe(2), describe(1), describe(3), row(1)}, true},
		"default is enough": {0, [][]byte{describe(1), describe(2), describe(3), row(1), row(2), row(3)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDecoder(t, decoder.Config{Relations: c.relations})
			last := len(c.session) - 1
			replay(t, d, beginBytes(1, when, 1))
			replay(t, d, c.session[:last]...)
			_, err := d.Decode(c.session[last])
			if c.sound != (err == nil) || err != nil && !errors.Is(err, decoder.ErrUnknownRelation) {
				t.Fatalf("last row: %v", err)
			}
		})
	}
}

// A relation that was handed out stays as it is when another description comes.
func TestRelationIsImmutable(t *testing.T) {
	d := newDecoder(t, decoder.Config{})
	first := replay(t, d, relationBytes(events())).Relation
	renamed := events()
	renamed.Columns[0].Name = "seq"
	second := replay(t, d, relationBytes(renamed)).Relation
	if first == second || first.Column("id") != 0 || first.Column("seq") != -1 {
		t.Fatalf("the first description changed: %+v", first)
	}
	if second.Column("seq") != 0 || second.Column("instance_name") != 1 || second.Column("id") != -1 {
		t.Fatalf("the second description is wrong: %+v", second)
	}
	row := replay(t, d, beginBytes(1, when, 1), insertBytes(renamed.OID, values{text("1"), null()}))
	if row.Relation != second {
		t.Fatalf("row of %p, want the newest description %p", row.Relation, second)
	}
}

// Fields of another kind are zero, also when the event before it set them.
func TestEventHoldsItsKindOnly(t *testing.T) {
	among := newDecoder(t, decoder.Config{})
	for i, msg := range everyMessage() {
		got := describe(replay(t, among, msg))

		alone := newDecoder(t, decoder.Config{})
		replay(t, alone, relationBytes(events()), relationBytes(&decoder.Relation{OID: 5, ReplicaIdentity: 'n'}))
		if msg[0] != 'B' {
			replay(t, alone, beginBytes(0x100, when, 742))
		}
		if want := describe(replay(t, alone, msg)); got != want {
			t.Errorf("message %d: after others\n%s\nby itself\n%s", i, got, want)
		}
	}
}

// One huge truncate is not paid for ever.
func TestTruncateBufferShrinks(t *testing.T) {
	d := newDecoder(t, decoder.Config{})
	replay(t, d, beginBytes(1, when, 1), truncateBytes(0, make([]uint32, 100_000)...))
	if e := replay(t, d, truncateBytes(0, 1, 2)); len(e.Truncated) != 2 {
		t.Fatalf("%d relations truncated, want 2", len(e.Truncated))
	}
	if got := d.TruncatedCap(); got > 1024 {
		t.Fatalf("room for %d relations is kept", got)
	}
}

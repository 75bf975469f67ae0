package decoder_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/tidemark-pg/tidemark/decoder"
)

// Strings on the wire hold any byte but zero, and need not be UTF-8.
func anyName() *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOfN(rapid.ByteRange(1, 255), 0, 70), func(b []byte) string { return string(b) })
}

func anyLSN() *rapid.Generator[decoder.LSN] {
	return rapid.Map(rapid.Uint64Range(1, 1<<64-2), func(n uint64) decoder.LSN { return decoder.LSN(n) })
}

func anyTime() *rapid.Generator[time.Time] {
	return rapid.Map(rapid.Int64Range(-1<<55, 1<<55), func(us int64) time.Time {
		return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(us%1e6) * time.Microsecond).
			Add(time.Duration(us/1e9) * time.Second)
	})
}

func anyValue() *rapid.Generator[decoder.Value] {
	return rapid.Custom(func(t *rapid.T) decoder.Value {
		v := decoder.Value{Kind: rapid.SampledFrom([]byte("nutb")).Draw(t, "kind")}
		if v.Kind == decoder.ValueText || v.Kind == decoder.ValueBinary {
			v.Bytes = rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "value")
		}
		return v
	})
}

func anyRow(t *rapid.T, r *decoder.Relation) values {
	return rapid.SliceOfN(anyValue(), len(r.Columns), len(r.Columns)).Draw(t, "row")
}

func anyRelation() *rapid.Generator[*decoder.Relation] {
	column := rapid.Custom(func(t *rapid.T) decoder.Column {
		return decoder.Column{
			Name:         anyName().Draw(t, "column"),
			TypeOID:      rapid.Uint32().Draw(t, "type"),
			TypeModifier: rapid.Int32().Draw(t, "modifier"),
			Key:          rapid.Bool().Draw(t, "key"),
		}
	})
	return rapid.Custom(func(t *rapid.T) *decoder.Relation {
		return &decoder.Relation{
			OID:             rapid.Uint32Range(0, 3).Draw(t, "oid"),
			Namespace:       anyName().Draw(t, "namespace"),
			Name:            anyName().Draw(t, "name"),
			ReplicaIdentity: rapid.SampledFrom([]byte("dnfi")).Draw(t, "identity"),
			Columns:         rapid.SliceOfN(column, 0, 20).Draw(t, "columns"),
		}
	})
}

// script draws a session and what each of its messages must decode to.
type script struct {
	described map[uint32]*decoder.Relation
	open      bool
	final     decoder.LSN
}

// expected is an event with its tuples as values.
type expected struct {
	Event    decoder.Event
	Old, New values
}

// step draws the next message of a sound session.
func (s *script) step(t *rapid.T) ([]byte, expected) {
	if !s.open {
		return s.outside(t)
	}
	switch n := rapid.IntRange(0, 9).Draw(t, "step"); {
	case n == 0:
		return s.commit(t)
	case n == 1:
		return s.relation(t)
	case n == 2:
		return s.truncate(t)
	case n == 3:
		return s.message(t)
	case len(s.described) == 0:
		return s.relation(t)
	default:
		return s.row(t)
	}
}

func (s *script) outside(t *rapid.T) ([]byte, expected) {
	s.open, s.final = true, anyLSN().Draw(t, "final")
	e := decoder.Event{
		Kind: decoder.KindBegin, CommitLSN: s.final,
		CommitTime: anyTime().Draw(t, "time"), XID: rapid.Uint32().Draw(t, "xid"),
	}
	return beginBytes(e.CommitLSN, e.CommitTime, e.XID), expected{Event: e}
}

func (s *script) commit(t *rapid.T) ([]byte, expected) {
	s.open = false
	e := decoder.Event{Kind: decoder.KindCommit, CommitLSN: s.final, CommitTime: anyTime().Draw(t, "time")}
	e.EndLSN = s.final + decoder.LSN(rapid.Uint64Range(1, uint64(^s.final)).Draw(t, "length"))
	return commitBytes(e.CommitLSN, e.EndLSN, e.CommitTime), expected{Event: e}
}

func (s *script) relation(t *rapid.T) ([]byte, expected) {
	r := anyRelation().Draw(t, "relation")
	s.described[r.OID] = r
	return relationBytes(r), expected{Event: decoder.Event{Kind: decoder.KindRelation, Relation: r}}
}

func (s *script) truncate(t *rapid.T) ([]byte, expected) {
	e := decoder.Event{
		Kind:    decoder.KindTruncate,
		Cascade: rapid.Bool().Draw(t, "cascade"), RestartIdentity: rapid.Bool().Draw(t, "restart"),
	}
	for _, oid := range rapid.SliceOfN(rapid.Uint32Range(0, 6), 0, 10).Draw(t, "oids") {
		e.Truncated = append(e.Truncated, decoder.Truncated{OID: oid, Relation: s.described[oid]})
	}
	return encodeTruncate(&e), expected{Event: e}
}

func (s *script) message(t *rapid.T) ([]byte, expected) {
	switch rapid.IntRange(0, 2).Draw(t, "which") {
	case 0:
		o := decoder.Origin{CommitLSN: anyLSN().Draw(t, "lsn"), Name: []byte(anyName().Draw(t, "origin"))}
		return originBytes(o.CommitLSN, string(o.Name)), expected{Event: decoder.Event{Kind: decoder.KindOrigin, Origin: o}}
	case 1:
		y := decoder.Type{
			OID:       rapid.Uint32().Draw(t, "oid"),
			Namespace: []byte(anyName().Draw(t, "namespace")), Name: []byte(anyName().Draw(t, "type")),
		}
		msg := typeBytes(y.OID, string(y.Namespace), string(y.Name))
		return msg, expected{Event: decoder.Event{Kind: decoder.KindType, Type: y}}
	default:
		m := decoder.Message{
			Transactional: rapid.Bool().Draw(t, "transactional"), LSN: anyLSN().Draw(t, "lsn"),
			Prefix: []byte(anyName().Draw(t, "prefix")), Content: rapid.SliceOf(rapid.Byte()).Draw(t, "content"),
		}
		msg := messageBytes(m.Transactional, m.LSN, string(m.Prefix), m.Content)
		return msg, expected{Event: decoder.Event{Kind: decoder.KindMessage, Message: m}}
	}
}

func (s *script) row(t *rapid.T) ([]byte, expected) {
	oids := make([]uint32, 0, len(s.described))
	for oid := range uint32(4) {
		if s.described[oid] != nil {
			oids = append(oids, oid)
		}
	}
	r := s.described[rapid.SampledFrom(oids).Draw(t, "oid")]
	x := expected{Event: decoder.Event{Kind: decoder.KindInsert, Relation: r}, New: anyRow(t, r)}
	marker := rapid.SampledFrom([]byte{'I', 0, 'K', 'O', 'k', 'o'}).Draw(t, "marker")
	if marker == 'I' {
		return insertBytes(r.OID, x.New), x
	}
	x.Event.Kind = decoder.KindUpdate
	if marker == 0 {
		return updateBytes(r.OID, 0, nil, x.New), x
	}
	x.Old, x.Event.HasOld, x.Event.OldIsKey = anyRow(t, r), true, marker|0x20 == 'k'
	if marker < 'a' {
		return updateBytes(r.OID, marker, x.Old, x.New), x
	}
	x.Event.Kind, x.New = decoder.KindDelete, nil
	return deleteBytes(r.OID, marker-0x20, x.Old), x
}

// Every sound session decodes to what it was made from, out of one buffer that
// each message overwrites: whatever is kept must not point into it.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, err := decoder.New(decoder.Config{Relations: 4})
		if err != nil {
			t.Fatal(err)
		}
		s := script{described: map[uint32]*decoder.Relation{}}
		buf := make([]byte, 1<<16)
		for range rapid.IntRange(1, 40).Draw(t, "messages") {
			msg, want := s.step(t)
			for i := range buf {
				buf[i] = 0xff
			}
			n := copy(buf, msg)
			e, err := d.Decode(buf[:n:n])
			if err != nil {
				t.Fatalf("%x: %v", msg, err)
			}
			got := expected{Event: *e, Old: valuesOf(e.Old), New: valuesOf(e.New)}
			got.Event.Old, got.Event.New = decoder.Tuple{}, decoder.Tuple{}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(decoder.Tuple{})); diff != "" {
				t.Fatalf("%x (- sent, + decoded):\n%s", msg, diff)
			}
			if !bytes.Equal(encode(e), msg) {
				t.Fatalf("%x is encoded as %x", msg, encode(e))
			}
		}
	})
}

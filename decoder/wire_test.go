package decoder_test

import (
	"encoding/binary"
	"time"

	"github.com/tidemark-pg/tidemark/decoder"
)

// wire builds messages as the server does. It is written from the protocol's
// documentation alone and shares no code with the decoder.
type wire []byte

func (w wire) u8(v byte) wire         { return append(w, v) }
func (w wire) u16(v int) wire         { return binary.BigEndian.AppendUint16(w, uint16(v)) }
func (w wire) u32(v uint32) wire      { return binary.BigEndian.AppendUint32(w, v) }
func (w wire) u64(v uint64) wire      { return binary.BigEndian.AppendUint64(w, v) }
func (w wire) lsn(v decoder.LSN) wire { return w.u64(uint64(v)) }
func (w wire) str(s string) wire      { return append(append(w, s...), 0) }
func (w wire) time(t time.Time) wire  { return w.u64(uint64(micros(t))) }
func (w wire) bytes(b []byte) wire    { return append(w.u32(uint32(len(b))), b...) }
func (w wire) flag(b bool) wire       { return w.u8(map[bool]byte{true: 1}[b]) }
func (w wire) tuple(t values) wire    { return t.append(w.u16(len(t))) }
func (w wire) column(c wireColumn) wire {
	return w.flag(c.Key).str(c.Name).u32(c.TypeOID).u32(uint32(c.TypeModifier))
}

type wireColumn = decoder.Column

// values of a row, the test's counterpart of a Tuple.
type values []decoder.Value

func (vs values) append(w wire) wire {
	for _, v := range vs {
		w = w.u8(v.Kind)
		if v.Kind == decoder.ValueText || v.Kind == decoder.ValueBinary {
			w = w.bytes(v.Bytes)
		}
	}
	return w
}

// valuesOf reads a whole Tuple.
func valuesOf(t decoder.Tuple) values {
	vs := make(values, t.Len())
	for i := range vs {
		vs[i] = t.Value(i)
	}
	return vs
}

func text(s string) decoder.Value { return decoder.Value{Kind: decoder.ValueText, Bytes: []byte(s)} }
func null() decoder.Value         { return decoder.Value{Kind: decoder.ValueNull} }
func binary8(n int64) decoder.Value {
	return decoder.Value{Kind: decoder.ValueBinary, Bytes: wire{}.u64(uint64(n))}
}

// micros since 2000-01-01, wrapping where they do not fit.
func micros(t time.Time) int64 {
	return (t.Unix()-time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix())*1e6 + int64(t.Nanosecond())/1e3
}

func beginBytes(final decoder.LSN, at time.Time, xid uint32) []byte {
	return wire{'B'}.lsn(final).time(at).u32(xid)
}

func commitBytes(commit, end decoder.LSN, at time.Time) []byte {
	return wire{'C'}.u8(0).lsn(commit).lsn(end).time(at)
}

func relationBytes(r *decoder.Relation) []byte {
	w := wire{'R'}.u32(r.OID).str(r.Namespace).str(r.Name).u8(r.ReplicaIdentity).u16(len(r.Columns))
	for _, c := range r.Columns {
		w = w.column(c)
	}
	return w
}

func insertBytes(oid uint32, row values) []byte {
	return wire{'I'}.u32(oid).u8('N').tuple(row)
}

// updateBytes has no old row where marker is 0.
func updateBytes(oid uint32, marker byte, old, row values) []byte {
	w := wire{'U'}.u32(oid)
	if marker != 0 {
		w = w.u8(marker).tuple(old)
	}
	return w.u8('N').tuple(row)
}

func deleteBytes(oid uint32, marker byte, old values) []byte {
	return wire{'D'}.u32(oid).u8(marker).tuple(old)
}

func truncateBytes(options byte, oids ...uint32) []byte {
	w := wire{'T'}.u32(uint32(len(oids))).u8(options)
	for _, oid := range oids {
		w = w.u32(oid)
	}
	return w
}

func typeBytes(oid uint32, namespace, name string) []byte {
	return wire{'Y'}.u32(oid).str(namespace).str(name)
}

func originBytes(commit decoder.LSN, name string) []byte {
	return wire{'O'}.lsn(commit).str(name)
}

func messageBytes(transactional bool, lsn decoder.LSN, prefix string, content []byte) []byte {
	return wire{'M'}.flag(transactional).lsn(lsn).str(prefix).bytes(content)
}

// encode gives the bytes of an event. No two messages mean the same, so it
// gives back exactly the bytes the event was decoded from.
func encode(e *decoder.Event) []byte {
	switch e.Kind {
	case decoder.KindBegin:
		return beginBytes(e.CommitLSN, e.CommitTime, e.XID)
	case decoder.KindCommit:
		return commitBytes(e.CommitLSN, e.EndLSN, e.CommitTime)
	case decoder.KindRelation:
		return relationBytes(e.Relation)
	case decoder.KindInsert:
		return insertBytes(e.Relation.OID, valuesOf(e.New))
	case decoder.KindUpdate:
		return updateBytes(e.Relation.OID, oldMarker(e), valuesOf(e.Old), valuesOf(e.New))
	case decoder.KindDelete:
		return deleteBytes(e.Relation.OID, oldMarker(e), valuesOf(e.Old))
	case decoder.KindTruncate:
		return encodeTruncate(e)
	case decoder.KindType:
		return typeBytes(e.Type.OID, string(e.Type.Namespace), string(e.Type.Name))
	case decoder.KindOrigin:
		return originBytes(e.Origin.CommitLSN, string(e.Origin.Name))
	case decoder.KindMessage:
		m := e.Message
		return messageBytes(m.Transactional, m.LSN, string(m.Prefix), m.Content)
	default:
		return nil
	}
}

func oldMarker(e *decoder.Event) byte {
	switch {
	case !e.HasOld:
		return 0
	case e.OldIsKey:
		return 'K'
	default:
		return 'O'
	}
}

func encodeTruncate(e *decoder.Event) []byte {
	var options byte
	if e.Cascade {
		options |= 1
	}
	if e.RestartIdentity {
		options |= 2
	}
	oids := make([]uint32, len(e.Truncated))
	for i, t := range e.Truncated {
		oids[i] = t.OID
	}
	return truncateBytes(options, oids...)
}

package decoder_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pglogrepl"

	"github.com/tidemark-pg/tidemark/decoder"
)

// FuzzDifferential: what is accepted means to pglogrepl what it means here.
// pglogrepl is asked about accepted messages only, for it panics on others.
func FuzzDifferential(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		d := newDecoder(t, decoder.Config{})
		for _, msg := range frames(data) {
			e, err := d.Decode(msg)
			if err != nil {
				d.Reset()
				continue
			}
			if refusedThere(e) {
				continue
			}
			want, err := parse(msg)
			if err != nil {
				t.Fatalf("%s: pglogrepl refuses %x: %v", describe(e), msg, err)
			}
			if diff := cmp.Diff(plain(want), plainEvent(e), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%x (- pglogrepl, + decoder):\n%s", msg, diff)
			}
		}
	})
}

// refusedThere reports the sound messages that are too short for pglogrepl: an
// insert into a table without columns, and a truncate of no relation.
func refusedThere(e *decoder.Event) bool {
	return e.Kind == decoder.KindInsert && e.New.Len() == 0 ||
		e.Kind == decoder.KindTruncate && len(e.Truncated) == 0
}

func parse(msg []byte) (m pglogrepl.Message, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return pglogrepl.Parse(msg)
}

// row is a change as both decoders see it.
type row struct {
	OID      uint32
	Marker   byte
	Old, New values
}

// plain gives what a pglogrepl message says, as comparable values.
func plain(m pglogrepl.Message) any {
	switch m := m.(type) {
	case *pglogrepl.BeginMessage:
		return []any{uint64(m.FinalLSN), m.CommitTime.UnixNano(), m.Xid}
	case *pglogrepl.CommitMessage:
		return []any{uint64(m.CommitLSN), uint64(m.TransactionEndLSN), m.CommitTime.UnixNano()}
	case *pglogrepl.OriginMessage:
		return []any{uint64(m.CommitLSN), m.Name}
	case *pglogrepl.RelationMessage:
		r := decoder.Relation{OID: m.RelationID, Namespace: m.Namespace, Name: m.RelationName, ReplicaIdentity: m.ReplicaIdentity}
		for _, c := range m.Columns {
			r.Columns = append(r.Columns, decoder.Column{
				Name: c.Name, TypeOID: c.DataType, TypeModifier: c.TypeModifier, Key: c.Flags == 1,
			})
		}
		return r
	case *pglogrepl.TypeMessage:
		return []any{m.DataType, m.Namespace, m.Name}
	case *pglogrepl.InsertMessage:
		return row{OID: m.RelationID, New: plainTuple(m.Tuple)}
	case *pglogrepl.UpdateMessage:
		return row{OID: m.RelationID, Marker: m.OldTupleType, Old: plainTuple(m.OldTuple), New: plainTuple(m.NewTuple)}
	case *pglogrepl.DeleteMessage:
		return row{OID: m.RelationID, Marker: m.OldTupleType, Old: plainTuple(m.OldTuple)}
	case *pglogrepl.TruncateMessage:
		return []any{m.Option, m.RelationIDs}
	case *pglogrepl.LogicalDecodingMessage:
		return []any{m.Transactional, uint64(m.LSN), m.Prefix, string(m.Content)}
	default:
		return m
	}
}

func plainTuple(t *pglogrepl.TupleData) values {
	if t == nil || len(t.Columns) == 0 {
		return nil
	}
	vs := make(values, len(t.Columns))
	for i, c := range t.Columns {
		vs[i] = decoder.Value{Kind: c.DataType, Bytes: c.Data}
	}
	return vs
}

// plainEvent gives what an event says, in the form of plain. Times are compared
// in nanoseconds modulo 2^64, which is what pglogrepl keeps of them.
func plainEvent(e *decoder.Event) any {
	switch e.Kind {
	case decoder.KindBegin:
		return []any{uint64(e.CommitLSN), e.CommitTime.UnixNano(), e.XID}
	case decoder.KindCommit:
		return []any{uint64(e.CommitLSN), uint64(e.EndLSN), e.CommitTime.UnixNano()}
	case decoder.KindOrigin:
		return []any{uint64(e.Origin.CommitLSN), string(e.Origin.Name)}
	case decoder.KindRelation:
		r := *e.Relation
		r.Columns = append([]decoder.Column(nil), r.Columns...)
		return r
	case decoder.KindType:
		return []any{e.Type.OID, string(e.Type.Namespace), string(e.Type.Name)}
	case decoder.KindInsert, decoder.KindUpdate, decoder.KindDelete:
		return row{OID: e.Relation.OID, Marker: oldMarker(e), Old: orNil(e.Old), New: orNil(e.New)}
	case decoder.KindTruncate:
		raw := encodeTruncate(e)
		oids := make([]uint32, len(e.Truncated))
		for i, t := range e.Truncated {
			oids[i] = t.OID
		}
		return []any{raw[5], oids}
	default:
		m := e.Message
		return []any{m.Transactional, uint64(m.LSN), string(m.Prefix), string(m.Content)}
	}
}

func orNil(t decoder.Tuple) values {
	if t.Len() == 0 {
		return nil
	}
	return valuesOf(t)
}

package decoder

import "encoding/binary"

// insert reads Byte1('I') Int32(relation) Byte1('N') TupleData.
func (d *Decoder) insert(r *reader) {
	rel := d.rowRelation(r)
	if rel == nil {
		return
	}
	e := d.start(KindInsert)
	e.Relation = rel
	e.New = r.tuple('N', len(rel.Columns))
}

// update reads Byte1('U') Int32(relation), optionally Byte1('K' or 'O')
// TupleData, then Byte1('N') TupleData.
func (d *Decoder) update(r *reader) {
	rel := d.rowRelation(r)
	if rel == nil {
		return
	}
	e := d.start(KindUpdate)
	e.Relation = rel
	e.Old, e.HasOld, e.OldIsKey = Tuple{}, false, false
	if r.remaining() > 0 && r.msg[r.off] != 'N' {
		d.old(r, e)
	}
	e.New = r.tuple('N', len(rel.Columns))
}

// delete reads Byte1('D') Int32(relation) Byte1('K' or 'O') TupleData.
func (d *Decoder) delete(r *reader) {
	rel := d.rowRelation(r)
	if rel == nil {
		return
	}
	e := d.start(KindDelete)
	e.Relation = rel
	d.old(r, e)
}

// rowRelation reads the OID that a row begins with and returns its relation; nil
// is a failure. Rows come in runs of one table, so it tries the last one first.
func (d *Decoder) rowRelation(r *reader) *Relation {
	const end = 1 + 4
	if d.open && d.last != nil && len(r.msg) >= end && binary.BigEndian.Uint32(r.msg[1:]) == d.last.OID {
		r.off = end
		return d.last
	}
	return d.lookUp(r)
}

// lookUp is rowRelation for the rows that are not of the last relation.
func (d *Decoder) lookUp(r *reader) *Relation {
	d.inTransaction(r)
	at := r.off
	oid := r.uint32("relation oid")
	if r.err != nil {
		return nil
	}
	rel, ok := d.relations.Get(oid)
	if !ok {
		r.fail(ErrUnknownRelation, at, "relation %d was never described in this session, or evicted since", oid)
		return nil
	}
	d.last = rel
	return rel
}

// old reads the old row. A key has all columns of the relation too, null where
// they are not part of it.
func (d *Decoder) old(r *reader, e *Event) {
	marker := byte('O')
	if r.remaining() > 0 && r.msg[r.off] == 'K' {
		marker = 'K'
	}
	e.Old = r.tuple(marker, len(e.Relation.Columns))
	e.HasOld, e.OldIsKey = true, marker == 'K'
}

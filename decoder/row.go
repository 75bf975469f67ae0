package decoder

// insert reads Byte1('I') Int32(relation) Byte1('N') TupleData.
func (d *Decoder) insert(r *reader) {
	d.inTransaction(r)
	rel := d.rowRelation(r)
	if r.err != nil {
		return
	}
	e := d.start(KindInsert)
	e.Relation = rel
	newMarker(r)
	e.New = r.tuple(len(rel.Columns))
}

// update reads Byte1('U') Int32(relation), optionally Byte1('K' or 'O')
// TupleData, then Byte1('N') TupleData.
func (d *Decoder) update(r *reader) {
	d.inTransaction(r)
	rel := d.rowRelation(r)
	if r.err != nil {
		return
	}
	e := d.start(KindUpdate)
	e.Relation = rel
	e.Old, e.HasOld, e.OldIsKey = Tuple{}, false, false
	if r.remaining() > 0 && r.msg[r.off] != 'N' {
		d.old(r, e)
	}
	newMarker(r)
	e.New = r.tuple(len(rel.Columns))
}

// delete reads Byte1('D') Int32(relation) Byte1('K' or 'O') TupleData.
func (d *Decoder) delete(r *reader) {
	d.inTransaction(r)
	rel := d.rowRelation(r)
	if r.err != nil {
		return
	}
	e := d.start(KindDelete)
	e.Relation = rel
	d.old(r, e)
}

// old reads the old row. A key has all columns of the relation too, null where
// they are not part of it.
func (d *Decoder) old(r *reader, e *Event) {
	at := r.off
	b := r.uint8("old row's marker")
	if b != 'K' && b != 'O' {
		r.fail(ErrMalformed, at, "old row's marker is 0x%02x, not 'K' or 'O'", b)
		return
	}
	e.Old = r.tuple(len(e.Relation.Columns))
	e.HasOld, e.OldIsKey = true, b == 'K'
}

func newMarker(r *reader) {
	at := r.off
	if b := r.uint8("new row's marker"); b != 'N' {
		r.fail(ErrMalformed, at, "new row's marker is 0x%02x, not 'N'", b)
	}
}

package decoder

// begin reads Byte1('B') Int64(final LSN) Int64(commit time) Int32(xid).
func (d *Decoder) begin(r *reader) {
	if d.open {
		r.fail(ErrSequence, 0, "inside a transaction that has not been committed")
		return
	}
	e := d.start(KindBegin)
	at := r.off
	e.CommitLSN = r.lsn("final LSN")
	e.CommitTime = r.time("commit time")
	e.XID = r.uint32("xid")
	if e.CommitLSN == 0 {
		r.fail(ErrMalformed, at, "final LSN is 0/0")
	}
	d.open, d.final = true, e.CommitLSN
}

// commit reads Byte1('C') Int8(flags, must be 0) Int64(commit LSN) Int64(end LSN)
// Int64(commit time).
//
// What may be confirmed and what is visible is decided by these LSNs
// (RULES 2, 13), so they are checked as the server's own subscriber does: the
// commit is where its begin said. Its record has a length, so it ends beyond.
func (d *Decoder) commit(r *reader) {
	d.inTransaction(r)
	e := d.start(KindCommit)
	at := r.off
	flags := r.uint8("flags")
	e.CommitLSN = r.lsn("commit LSN")
	e.EndLSN = r.lsn("end LSN")
	e.CommitTime = r.time("commit time")
	switch {
	case flags != 0:
		r.fail(ErrMalformed, at, "unknown flags 0x%02x", flags)
	case e.CommitLSN != d.final:
		r.fail(ErrSequence, at+1, "commit LSN %v is not the %v that its begin announced", e.CommitLSN, d.final)
	case e.EndLSN <= e.CommitLSN:
		r.fail(ErrMalformed, at+9, "end LSN %v is not beyond commit LSN %v", e.EndLSN, e.CommitLSN)
	}
	d.open, d.final = false, 0
}

// origin reads Byte1('O') Int64(commit LSN on the origin) String(name).
func (d *Decoder) origin(r *reader) {
	d.inTransaction(r)
	e := d.start(KindOrigin)
	e.Origin.CommitLSN = r.lsn("origin's commit LSN")
	e.Origin.Name = r.name("origin name")
}

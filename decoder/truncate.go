package decoder

const (
	truncateCascade         = 1
	truncateRestartIdentity = 2

	// keptTruncated is how many entries the buffer for truncated relations may
	// keep: one huge truncate is not to be paid for ever.
	keptTruncated = 1024
)

// truncate reads Byte1('T') Int32(relations) Int8(options) Int32(oid)….
func (d *Decoder) truncate(r *reader) {
	d.inTransaction(r)
	at := r.off
	n := r.uint32("relation count")
	options := r.uint8("options")
	switch {
	case options&^(truncateCascade|truncateRestartIdentity) != 0:
		r.fail(ErrMalformed, at+4, "unknown options 0x%02x", options)
	case uint64(n) > uint64(r.remaining()/4):
		r.fail(ErrMalformed, at, "relation count %d exceeds the %d bytes that remain", n, r.remaining())
	}
	if r.err != nil {
		return
	}
	e := d.start(KindTruncate)
	e.Cascade = options&truncateCascade != 0
	e.RestartIdentity = options&truncateRestartIdentity != 0
	e.Truncated = d.truncatedRelations(r, int(n))
}

func (d *Decoder) truncatedRelations(r *reader, n int) []Truncated {
	if cap(d.truncated) < n || cap(d.truncated) > keptTruncated {
		d.truncated = make([]Truncated, 0, n)
	}
	d.truncated = d.truncated[:0]
	for range n {
		oid := r.uint32("relation oid")
		// A truncate is no use of the relation: nil is good enough, so it need
		// not push out one whose rows are coming.
		rel, _ := d.relations.Peek(oid)
		d.truncated = append(d.truncated, Truncated{OID: oid, Relation: rel})
	}
	return d.truncated
}

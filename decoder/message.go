package decoder

// typeName reads Byte1('Y') Int32(oid) String(namespace) String(name).
func (d *Decoder) typeName(r *reader) {
	e := d.start(KindType)
	e.Type.OID = r.uint32("type oid")
	e.Type.Namespace = r.name("namespace")
	e.Type.Name = r.name("type name")
}

// logicalMessage reads Byte1('M') Int8(flags: 1 = transactional) Int64(lsn)
// String(prefix) Int32(length) Byten(content). One that is not transactional
// comes when it is decoded, in or out of a transaction.
func (d *Decoder) logicalMessage(r *reader) {
	e := d.start(KindMessage)
	at := r.off
	flags := r.uint8("flags")
	if flags > 1 {
		r.fail(ErrMalformed, at, "unknown flags 0x%02x", flags)
	}
	if flags == 1 {
		d.inTransaction(r)
	}
	e.Message.Transactional = flags == 1
	e.Message.LSN = r.lsn("message LSN")
	e.Message.Prefix = r.name("prefix")
	e.Message.Content = r.sized("content length")
}

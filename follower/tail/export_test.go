package tail

// PageQuery is the statement that the open session of t reads pages with.
func PageQuery(t *Tail) string { return t.session.query }

// MaxPageBytes is how large the columns of a page may become before it ends.
const MaxPageBytes = maxPageBytes

// Rewind has t begin anew over the connection that it has.
func Rewind(t *Tail) { t.position, t.taken = t.cfg.After, 0 }

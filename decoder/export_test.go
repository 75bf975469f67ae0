package decoder

// Interned counts the strings that are kept, for the test of their bound.
func (d *Decoder) Interned() int {
	n := d.names.recent.Len()
	for _, s := range d.names.front {
		if s != "" {
			n++
		}
	}
	return n
}

package decoder

import "hash/maphash"

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

// Collide makes other the string that is found under name's hash.
func (d *Decoder) Collide(name []byte, other string) {
	d.names.recent.Add(maphash.Bytes(d.names.seed, name), other)
}

// TruncatedCap is how many truncated relations the buffer has room for.
func (d *Decoder) TruncatedCap() int { return cap(d.truncated) }

package decoder

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// MaxInternedName is the length in bytes up to which Intern keeps a name.
// Longer ones are copied each time: a text value may have a gigabyte, and
// Config.Names counts names, not bytes.
const MaxInternedName = 8192

// maxFront is how many names the front holds at most.
const maxFront = 256

// names keeps one string for each of the names seen lately.
type names struct {
	// front answers for the names in constant use, without hashing them all and
	// without touching the order of recent: a power of two of cells, each holding
	// the last name that fell in it.
	front []string

	// recent is keyed by the names' hashes and not by the names: a look-up by
	// string in a library's map would have to make the string first, which is
	// what is to be avoided. What is found is compared, so two names of one hash
	// merely forget each other; the seed is random, so nobody can choose them.
	recent *simplelru.LRU[uint64, string]
	seed   maphash.Seed
}

func newNames(size int) (names, error) {
	recent, err := simplelru.NewLRU[uint64, string](size, nil)
	if err != nil {
		return names{}, err
	}
	// The largest power of two that is not above size.
	cells := min(maxFront, 1<<(bits.Len(uint(size))-1))
	return names{front: make([]string, cells), recent: recent, seed: maphash.MakeSeed()}, nil
}

// Intern returns b as a string that does not alias it, without allocating if
// the name is known. The names used most lately are known: at most Config.Names,
// and as many again (256 at most) in front of them. Names longer than
// MaxInternedName are copied and not kept.
func (d *Decoder) Intern(b []byte) string { return d.names.intern(b) }

func (n *names) intern(b []byte) string {
	cell := &n.front[mix(b)&uint64(len(n.front)-1)]
	if *cell == string(b) {
		return *cell
	}
	if len(b) > MaxInternedName {
		return string(b)
	}
	*cell = n.known(b)
	return *cell
}

// known returns the string from recent, or puts it there.
func (n *names) known(b []byte) string {
	h := maphash.Bytes(n.seed, b)
	if s, ok := n.recent.Get(h); ok && s == string(b) {
		return s
	}
	s := string(b)
	n.recent.Add(h, s)
	return s
}

// mix spreads names over the front's cells by their length, their first and
// their last eight bytes: names of writers differ at an end. Names that share a
// cell cost a look-up in recent, no more.
func mix(b []byte) uint64 {
	var ends uint64
	if n := len(b); n >= 8 {
		ends = binary.LittleEndian.Uint64(b) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(b[n-8:]), 29)
	} else {
		ends = short(b)
	}
	const odd = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio
	return (ends ^ uint64(len(b))) * odd >> 32
}

// short packs up to eight bytes.
func short(b []byte) (packed uint64) {
	for _, c := range b {
		packed = packed<<8 | uint64(c)
	}
	return packed
}

package decoder

import (
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
//
// They are keyed by their hash and not by themselves: a look-up by string key
// through a library's method would have to make the string first, which is what
// is to be avoided. The name found is compared, so two names of one hash are
// merely forgotten in turn; the seed is random, so nobody can choose them.
type names struct {
	seed maphash.Seed
	// front answers for the names in constant use without touching the order of
	// recent. A power of two of cells, each holding the last name that fell in it.
	front  []string
	recent *simplelru.LRU[uint64, string]
}

func newNames(size int) (names, error) {
	recent, err := simplelru.NewLRU[uint64, string](size, nil)
	if err != nil {
		return names{}, err
	}
	// The largest power of two that is not above size.
	cells := min(maxFront, 1<<(bits.Len(uint(size))-1))
	return names{seed: maphash.MakeSeed(), front: make([]string, cells), recent: recent}, nil
}

// Intern returns b as a string that does not alias it, without allocating if
// the name is known. The names used most lately are known: at most Config.Names,
// and as many again (256 at most) in front of them. Names longer than
// MaxInternedName are copied and not kept.
func (d *Decoder) Intern(b []byte) string { return d.names.intern(b) }

func (n *names) intern(b []byte) string {
	if len(b) > MaxInternedName {
		return string(b)
	}
	h := maphash.Bytes(n.seed, b)
	cell := &n.front[h&uint64(len(n.front)-1)]
	if *cell == string(b) {
		return *cell
	}
	s, ok := n.recent.Get(h)
	if !ok || s != string(b) {
		s = string(b)
		n.recent.Add(h, s)
	}
	*cell = s
	return s
}

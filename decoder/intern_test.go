package decoder_test

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/tidemark-pg/tidemark/decoder"
)

// Whatever is evicted and whichever names share a cell, a name is itself.
func TestInternIsTheName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(0, 40).Draw(t, "names")
		d, err := decoder.New(decoder.Config{Names: size})
		if err != nil {
			t.Fatal(err)
		}
		var buf []byte
		kept := map[string]string{}
		for _, n := range rapid.SliceOf(rapid.IntRange(0, 60)).Draw(t, "sequence") {
			want := strings.Repeat("x", n%7) + fmt.Sprint(n)
			buf = append(buf[:0], want...)
			kept[want] = d.Intern(buf)
			clear(buf)
			for name, s := range kept {
				if name != s {
					t.Fatalf("%q became %q", name, s)
				}
			}
		}
	})
}

func TestInternIsBounded(t *testing.T) {
	for _, size := range []int{1, 2, 3, 100, 1000} {
		d := newDecoder(t, decoder.Config{Names: size})
		for i := range 20_000 {
			d.Intern(fmt.Append(nil, "writer-", i))
		}
		if got, most := d.Interned(), size+min(size, 256); got > most || got < size {
			t.Errorf("%d names: %d strings are kept, want %d to %d", size, got, size, most)
		}
	}
}

// A name beyond the limit is right, but not kept.
func TestInternLongName(t *testing.T) {
	d := newDecoder(t, decoder.Config{})
	long := []byte(strings.Repeat("n", decoder.MaxInternedName+1))
	if got := d.Intern(long); got != string(long) {
		t.Fatal("a long name changed")
	}
	if n := d.Interned(); n != 0 {
		t.Fatalf("%d strings kept of a name beyond the limit", n)
	}
	if d.Intern(long[1:]); d.Interned() == 0 {
		t.Fatal("a name at the limit is not kept")
	}
}

func TestInternSharesOneString(t *testing.T) {
	d := newDecoder(t, decoder.Config{Names: 1000})
	first := map[string]*byte{}
	for round := range 3 {
		for i := range 1000 { // more than the front holds
			s := d.Intern(fmt.Append(nil, "writer-", i))
			if round == 0 {
				first[s] = unsafe.StringData(s)
			} else if first[s] != unsafe.StringData(s) {
				t.Fatalf("round %d: %q was made again", round, s)
			}
		}
	}
}

// Two names of one hash forget each other; neither is taken for the other.
func TestInternComparesNames(t *testing.T) {
	d := newDecoder(t, decoder.Config{})
	d.Collide([]byte("writer-1"), "writer-2")
	if got := d.Intern([]byte("writer-1")); got != "writer-1" {
		t.Fatalf("writer-1 became %q", got)
	}
}

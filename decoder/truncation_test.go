package decoder_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/tidemark-pg/tidemark/decoder"
)

// inSession calls f for each message of everyMessage, with a fresh decoder that
// has decoded the ones before it.
func inSession(t *testing.T, f func(t *testing.T, fresh func() *decoder.Decoder, msg []byte)) {
	msgs := everyMessage()
	for i, msg := range msgs {
		f(t, func() *decoder.Decoder {
			d := newDecoder(t, decoder.Config{Relations: 8, Names: 8})
			replay(t, d, msgs[:i]...)
			return d
		}, msg)
	}
}

// No prefix of a sound message is sound. Prefixes are clipped, so a read beyond
// the end cannot find the rest by accident.
func TestTruncated(t *testing.T) {
	inSession(t, func(t *testing.T, fresh func() *decoder.Decoder, msg []byte) {
		for n := range msg {
			d, prefix := fresh(), bytes.Clone(msg[:n:n])
			_, err := d.Decode(prefix)
			if e := wantError(t, d, prefix, err); !errors.Is(e, decoder.ErrMalformed) {
				t.Fatalf("%d of %x: %v", n, msg, err)
			}
		}
	})
}

func TestTrailingBytes(t *testing.T) {
	inSession(t, func(t *testing.T, fresh func() *decoder.Decoder, msg []byte) {
		for b := range 256 {
			d, long := fresh(), append(slices.Clip(msg), byte(b))
			_, err := d.Decode(long)
			if e := wantError(t, d, long, err); !errors.Is(e, decoder.ErrMalformed) || e.Offset != len(msg) {
				t.Fatalf("%x and 0x%02x: %v", msg, b, err)
			}
		}
	})
}

// Whatever a byte is changed to, the message is refused or means just what its
// bytes say.
func TestMutated(t *testing.T) {
	accepted := 0
	inSession(t, func(t *testing.T, fresh func() *decoder.Decoder, msg []byte) {
		for i := range msg {
			for b := range 256 {
				d, mutant := fresh(), bytes.Clone(msg)
				mutant[i] = byte(b)
				e, err := d.Decode(mutant)
				if err != nil {
					wantError(t, d, mutant, err)
					continue
				}
				accepted++
				if got := encode(e); !bytes.Equal(got, mutant) {
					t.Fatalf("%x decodes to %s, which is %x", mutant, describe(e), got)
				}
			}
		}
	})
	if accepted == 0 {
		t.Fatal("every mutant was refused")
	}
}

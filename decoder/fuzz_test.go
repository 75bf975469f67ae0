package decoder_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime/metrics"
	"strings"
	"testing"

	"github.com/tidemark-pg/tidemark/decoder"
)

// frames cuts fuzz input into messages: each is led by a 16-bit length, and a
// length beyond the end takes what there is.
func frames(data []byte) [][]byte {
	var msgs [][]byte
	for len(data) >= 2 {
		n := min(int(binary.BigEndian.Uint16(data)), len(data)-2)
		msgs = append(msgs, bytes.Clone(data[2:2+n]))
		data = data[2+n:]
	}
	return msgs
}

func frame(msgs ...[]byte) []byte {
	var w wire
	for _, m := range msgs {
		w = append(w.u16(len(m)), m...)
	}
	return w
}

// addSeeds adds the sound session and the sessions of the scenarios, sound and
// malformed. testdata/fuzz holds more: what fuzzing found to matter.
func addSeeds(f *testing.F) {
	f.Helper()
	f.Add(frame(everyMessage()...))
	paths, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(paths) == 0 {
		f.Fatalf("scenarios %v: %v", paths, err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, s := range strings.Split(string(b), "\nmessages\n")[1:] {
			f.Add(frame(scenarioMessages(f, s)...))
		}
	}
}

func scenarioMessages(f *testing.F, s string) [][]byte {
	f.Helper()
	input, _, _ := strings.Cut(s, "\n----")
	var msgs [][]byte
	for _, line := range uncommented(input) {
		msg, err := parseBytes(line)
		if err != nil {
			f.Fatal(err)
		}
		msgs = append(msgs, msg)
	}
	return msgs
}

// allocated returns the bytes allocated on the heap so far. Small objects are
// counted late, a lying count's huge buffer at once.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// FuzzDecode: no session makes the decoder panic or allocate out of proportion;
// errors are as promised; and what is accepted means exactly its bytes.
func FuzzDecode(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		d := newDecoder(t, decoder.Config{Relations: 4, Names: 4})
		for _, msg := range frames(data) {
			before := allocated()
			e, err := d.Decode(msg)
			if got, most := allocated()-before, uint64(16*len(msg)+1<<20); got > most {
				t.Fatalf("%x: %d bytes allocated for %d", msg, got, len(msg))
			}
			if err != nil {
				wantError(t, d, msg, err)
				d.Reset()
				continue
			}
			if got := encode(e); !bytes.Equal(got, msg) {
				t.Fatalf("%x decodes to %s, which is %x", msg, describe(e), got)
			}
			for _, v := range valuesOf(e.New) {
				if got := d.Intern(v.Bytes); got != string(v.Bytes) {
					t.Fatalf("%q interned as %q", v.Bytes, got)
				}
			}
		}
	})
}

package decoder_test

import (
	"strings"
	"testing"

	"github.com/tidemark-pg/tidemark/decoder"
)

func wantNoAllocs(t *testing.T, name string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(200, f); n != 0 {
		t.Errorf("%s: %v allocations", name, n)
	}
}

// No message that comes with each row or transaction allocates.
func TestDecodeDoesNotAllocate(t *testing.T) {
	for _, msg := range everyMessage() {
		if msg[0] == 'R' || msg[0] == 'B' || msg[0] == 'C' {
			continue
		}
		d := newDecoder(t, decoder.Config{})
		replay(t, d, relationBytes(events()), relationBytes(&decoder.Relation{OID: 5, ReplicaIdentity: 'd'}),
			beginBytes(0x100, when, 1))
		wantNoAllocs(t, string(msg[:1]), func() { replay(t, d, msg) })
	}
	d := newDecoder(t, decoder.Config{})
	begin, commit := beginBytes(0x100, when, 1), commitBytes(0x100, 0x130, when)
	wantNoAllocs(t, "begin and commit", func() { _, _ = d.Decode(begin); replay(t, d, commit) })
}

// What a stream does with a row: both values, from two tables in turn.
func TestRowsDoNotAllocate(t *testing.T) {
	d := newDecoder(t, decoder.Config{})
	other := events()
	other.OID++
	replay(t, d, beginBytes(1, when, 1), relationBytes(events()), relationBytes(other))
	name := strings.Repeat("a writer with a name of some length ", 3)
	rows := [][]byte{
		insertBytes(events().OID, values{text("9223372036854775807"), text(name)}),
		insertBytes(other.OID, values{binary8(-1), text(name + "2")}),
	}
	sum := int64(0)
	wantNoAllocs(t, "rows", func() {
		for _, row := range rows {
			e, err := d.Decode(row)
			if err != nil {
				t.Fatal(err)
			}
			id, err := e.New.Value(0).Int64(e.Relation.Columns[0].TypeOID)
			if err != nil {
				t.Fatal(err)
			}
			sum += id + int64(len(d.Intern(e.New.Value(1).Bytes)))
		}
	})
	if sum == 0 {
		t.Fatal("nothing was read")
	}
}

func TestInternOfKnownDoesNotAllocate(t *testing.T) {
	for _, n := range []int{0, 1, 31, 32, 33, 200, decoder.MaxInternedName} {
		d := newDecoder(t, decoder.Config{})
		name := []byte(strings.Repeat("n", n))
		wantNoAllocs(t, "in front", func() { d.Intern(name) })
	}
	// Two names take one cell: the cache behind must answer.
	d := newDecoder(t, decoder.Config{Names: 3})
	names := [][]byte{[]byte(strings.Repeat("a", 99)), []byte(strings.Repeat("b", 99)), []byte(strings.Repeat("c", 99))}
	wantNoAllocs(t, "behind the front", func() {
		for _, name := range names {
			d.Intern(name)
		}
	})
}

package decoder_test

import (
	"strings"
	"testing"

	"github.com/jackc/pglogrepl"

	"github.com/tidemark-pg/tidemark/decoder"
)

func benchRows() map[string][]byte {
	return map[string][]byte{
		"text":     insertBytes(events().OID, values{text("123456789"), text("writer-1")}),
		"binary":   insertBytes(events().OID, values{binary8(123456789), text("writer-1")}),
		"longname": insertBytes(events().OID, values{text("123456789"), text(strings.Repeat("writer", 12))}),
	}
}

// BenchmarkInsert reads one insert of two columns, id and writer, entirely.
// Compare it with BenchmarkInsertPglogrepl.
func BenchmarkInsert(b *testing.B) {
	for name, msg := range benchRows() {
		b.Run(name, func(b *testing.B) {
			d := newDecoder(b, decoder.Config{})
			replay(b, d, beginBytes(1, when, 1), relationBytes(events()))
			b.ReportAllocs()
			for b.Loop() {
				benchRow(b, d, msg)
			}
		})
	}
}

func benchRow(b *testing.B, d *decoder.Decoder, msg []byte) (int64, string) {
	e, err := d.Decode(msg)
	if err != nil {
		b.Fatal(err)
	}
	id, err := e.New.Value(0).Int64(decoder.TypeInt8)
	if err != nil {
		b.Fatal(err)
	}
	return id, d.Intern(e.New.Value(1).Bytes)
}

// BenchmarkInsertPglogrepl parses the same rows, without reading their values.
func BenchmarkInsertPglogrepl(b *testing.B) {
	for name, msg := range benchRows() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := pglogrepl.Parse(msg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkInsertTwoTables alternates between two relations and 1,000 writers.
func BenchmarkInsertTwoTables(b *testing.B) {
	d := newDecoder(b, decoder.Config{})
	other := events()
	other.OID++
	replay(b, d, beginBytes(1, when, 1), relationBytes(events()), relationBytes(other))
	var rows [][]byte
	for i := range 1000 {
		name := strings.Repeat("w", i%20) + string(rune('a'+i%26)) + strings.Repeat("v", i/20)
		rows = append(rows, insertBytes(events().OID+uint32(i%2), values{text("123456789"), text(name)}))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		benchRow(b, d, rows[i%len(rows)])
	}
}

func BenchmarkTransaction(b *testing.B) {
	d := newDecoder(b, decoder.Config{})
	replay(b, d, relationBytes(events()))
	msgs := [][]byte{beginBytes(1, when, 1), benchRows()["text"], commitBytes(1, 2, when)}
	b.ReportAllocs()
	for b.Loop() {
		for _, msg := range msgs {
			if _, err := d.Decode(msg); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkRelation(b *testing.B) {
	d, msg := newDecoder(b, decoder.Config{}), relationBytes(events())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Decode(msg); err != nil {
			b.Fatal(err)
		}
	}
}

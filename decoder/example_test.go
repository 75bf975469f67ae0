package decoder_test

import (
	"encoding/hex"
	"fmt"
	"log"

	"github.com/tidemark-pg/tidemark/decoder"
)

// A transaction as the server sends it, from the payloads of its XLogData
// messages to (writer, id) pairs and the LSN to confirm.
func Example() {
	payloads := []string{
		"420000000001543928000303f6d2a7185f000002e0",
		"52000040067075626c6963006576656e7473006400020169640000000014ffffffff00696e7374616e63655f6e616d650000000019ffffffff",
		"49000040064e000274000000013174000000087772697465722d31",
		"49000040064e000274000000013274000000087772697465722d32",
		"430000000000015439280000000001543958000303f6d2a7185f",
	}
	d, err := decoder.New(decoder.Config{})
	if err != nil {
		log.Fatal(err)
	}
	var id, writer int // indexes of the columns: looked up once for a relation
	for _, payload := range payloads {
		msg, err := hex.DecodeString(payload)
		if err != nil {
			log.Fatal(err)
		}
		e, err := d.Decode(msg)
		if err != nil {
			log.Fatal(err) // end the session, Reset, and start another one
		}
		switch e.Kind {
		case decoder.KindBegin:
			fmt.Println("transaction", e.XID)
		case decoder.KindRelation:
			id, writer = e.Relation.Column("id"), e.Relation.Column("instance_name")
		case decoder.KindInsert:
			n, err := e.New.Value(id).Int64(e.Relation.Columns[id].TypeOID)
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(e.Relation.Name, d.Intern(e.New.Value(writer).Bytes), n)
		case decoder.KindCommit:
			fmt.Println("committed at", e.CommitLSN, "confirm", e.EndLSN)
		}
	}
	// Output:
	// transaction 736
	// events writer-1 1
	// events writer-2 2
	// committed at 0/1543928 confirm 0/1543958
}

package tail

import "encoding/json"

// Row is one row of a stream.
type Row struct {
	// ID of the row.
	ID int64
	// Instance that wrote it: what its instance column says, "" where that is
	// NULL; the table's configured writer where there is no such column.
	Instance string
	// Table is the name of its table, as configured.
	Table string
	// Columns is the row as a JSON object, {column: value…}, as row_to_json
	// makes it.
	Columns json.RawMessage
}

// Batch is a part of a stream. Batches come in order, and no id is in two.
type Batch struct {
	// Rows in the order of their ids; those that share an id in the order of
	// the configured tables. There is at least one.
	Rows []Row
	// Position is what to store once the rows are handled: all that is there
	// up to it has been delivered, and a Tail with After set to it goes on.
	Position int64
	// Epoch that Position belongs to. It is to be stored with it.
	Epoch string
}

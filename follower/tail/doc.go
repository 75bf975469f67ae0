// Package tail hands a worker the rows of a stream: all of them, each once, in
// the order of their ids.
//
// A worker that asks for "what is newer than the last id I saw" misses rows,
// because transactions commit out of the order of their ids. A Tail reads no
// further than the stream's position, below which nothing can appear any more,
// so that the worker may remember one number:
//
//	t, err := tail.New(tail.Config{Stream: stream, Positions: events, Database: url, After: stored})
//	…
//	defer t.Close(ctx)
//	err = t.Run(ctx, func(ctx context.Context, b tail.Batch) error {
//		// handle b.Rows and store b.Position and b.Epoch, best in one transaction
//	})
//
// Next does the same one batch at a time.
//
// # What is delivered
//
// Every row of the stream's tables beyond After that is there when the position
// has reached it. Rows that share an id come in one batch. A row that was
// deleted before it was read is not delivered; a row that was updated comes as
// it is when it is read, and one that an UPDATE gave a new id comes under that.
//
// Rows come from a query, never from decoding. All tables of the stream are
// read in one statement that begins after the position is known, so that a row
// that moves from one to another between two batches comes once. (RULES 22.)
//
// Row-level security would hide rows, so a role that it applies to is refused.
//
// # Failure
//
// A connection that is lost is opened again, for as long as that takes, and
// the batch that was being read is read anew: nothing is skipped or repeated. A
// table, column or privilege that is missing ends Next with an error that says
// so; calling Next again tries again.
//
// When the stream's epoch changes, Next ends with a *follower.EpochError: the
// ids of two histories cannot be compared, and the worker decides what to do
// with what it has. It then begins with a new Tail.
//
// # Standbys
//
// A Tail reads from the primary. A server in recovery is refused: a position
// says nothing of what a standby shows yet.
package tail

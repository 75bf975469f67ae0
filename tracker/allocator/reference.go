// # The reference, and where this differs
//
// The package rebuilds the multi-writer id generator of Matrix Synapse, 1.157 to
// 1.160, from a description of what it does. Its recorded histories are
// replayed against a real server in this project's tests, every state compared;
// what differs is listed below by the name the tests give it.
//
//	reference                            here
//	-----------------------------------  --------------------------------------------------
//	MultiWriterIdGenerator(...)          Open: registers, takes the name, loads
//	get_next() as a context              Next and Handle.Finish, or With(ctx, 1, ...)
//	get_next_mult(n)                     NextN, or With(ctx, n, ...)
//	get_next_txn, get_next_mult_txn      NextTx, NextNTx; what became of the transaction is
//	                                     asked, so there are no callbacks to run
//	context left by success, exception   Finish(ctx, nil), Finish(ctx, err)
//	a callback after a commit            none: Subscribe tells of every move
//	advance(instance, id)                Advance; Apply for what a follower has learned
//	get_current_token                    CurrentToken
//	get_persisted_upto_position          PersistedUpTo
//	get_current_token_for_writer         CurrentTokenForWriter
//	get_minimal_local_current_token      MinimalLocalToken
//	get_positions                        Positions
//	get_max_allocated_token              MaxAllocated
//	the notifier                         Subscribe, Wait, WaitWriter
//	a sync token of a position and the   tracker.Token
//	  writers that are ahead of it
//	stream_positions upsert, per write   one goroutine; what ends meanwhile gathers
//	an event writer's announcement each  IdleInterval, for every writer
//	  second while idle
//	sequence check with its repair       Open; the check counts the repaired value
//	IdGenerator                          tracker.IDGenerator; OpenIDGenerator reads where
//	                                     it begins
//	positive=False                       Config.Descending
//	writers=[...]                        Config.Writers; an empty list lets anybody write
//
// Of its earlier states: positions from the tables alone, before there was a
// stream_positions table, are PositionsTable: NoPositionsTable. The own position
// taken from the newest own row, as it was before it came from the sequence, is
// what a start there does. The in-process counter for SQLite and the callbacks
// of its networking framework are left out.
//
// Where the reference is right, and only says things in another way:
//
//   - n ids are 1 to MaxIDs; 0 is an error (there: one id, or an exception later).
//   - An instance that may not write gets an error, at the call in both.
//   - A cancelled or retried allocation leaves nothing open (there, before 1.160,
//     or on a retry to this day: the id pins the stream until a restart).
//   - Stale rows are removed without one starting process failing another (there:
//     SQLSTATE 40001 out of the constructor).
//   - Advance for one's own name is ignored (there: it passes one's own open ids,
//     which is why its callers never do it).
//   - Memory above a gap grows with the number of gaps, not of ids.
//
// Where it differs in what it says, by name:
//
//   - "never-called sequence": there id 1 counts as done before anybody has drawn
//     it, and is shown as done while it is open. Here nothing is drawn, and 0 is
//     said; a first id may be 1.
//   - "H1: unregistered writers": a listed writer without a stored position may
//     have its first id open. There it counts as the others' minimum. Here every
//     writer stores a row before it first draws, and who has none counts as 0
//     (RULES 15). So a listed writer whose row was purged, or that never starts,
//     holds the stream at 0 until it starts or leaves the list; held_by of a
//     follower names it.
//   - H2: a restarted writer announces the sequence's last value, which may be
//     another's open id, and receivers take it for a done id. Here a position is
//     never a done id (tracker.Announce); only ids that somebody wrote, or
//     finished, are. Advance keeps the reference's meaning for programs that
//     send rows through it.
//   - "own start: the sequence's position": there the own position is lowered to
//     the newest own row, on a descending stream to the oldest loaded. Here it
//     stays where the sequence was, once all that an earlier life left open has
//     ended (RULES 18). So it is where a listed writer's row has been taken away:
//     its new row begins no further than that.
//   - "further ahead, provably": every id of a writer below its lowest open one is
//     done, not only up to the last that it finished; and an idle writer reads
//     where the sequence is.
//   - "failures are announced": a rolled-back write moves the stored position,
//     there only the next success does.
//   - "a writer at work is not removed": a start that does not list a writer leaves
//     the row of one that holds its name.
//   - A finished id counts once its nextval is on disk (RULES 17), so a position
//     may come a flush later; there a crash can hand out an announced id again.
package allocator

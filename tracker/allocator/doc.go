// Package allocator is the writers' half of a stream whose ids are drawn ahead
// of the transactions that write them ("announced"). It hands out ids, knows
// which are done, and announces that in the positions table, so that readers
// know how far the stream is complete. Beside it, it keeps the stream's
// position itself, from what it is told of the other writers.
//
// # The life of an id
//
//		           Next                      Finish                    flushed
//		not drawn ──────► open ─────────────────────────────► ended ───────────► done
//		                   │  lost with the connection           ▲                 │
//		                   └──► in doubt ── every transaction ───┘                 ▼
//		                         that was open then has ended         position announced
//
//	  - Not drawn. Before an instance draws its first id it has a row in the
//	    positions table, written with a value of the sequence that was read
//	    before: every id that it draws is greater (RULES 15). Every draw goes
//	    through that row: an instance whose row is gone gets no id, and registers
//	    again.
//	  - Open. From the moment the draw begins until the id is done no announced
//	    position passes it; while the draw is under way none passes the value
//	    from before it, since the id may be the very next.
//	  - Ended. Finish says so. Where the outcome of a commit was lost with its
//	    connection, the database says so: through pg_xact_status where the
//	    transaction is known (NextTx, Bind), else when every transaction has
//	    ended that was open after the loss (RULES 19). A handle that is lost
//	    stays open: its transaction may still commit. Open lists it, and the
//	    logger is told.
//	  - Done. The draw itself must be on disk: nextval's WAL record is not
//	    flushed by a rollback, nor waited for by an asynchronous commit, and after
//	    a crash the sequence would hand the id out again (RULES 17). A flush that
//	    does not come within 250 ms is forced.
//	  - Announced. One goroutine stores the position; what ends meanwhile gathers
//	    for the next time. An idle writer looks every IdleInterval how far the
//	    sequence has gone and announces that, since whatever it draws later is
//	    greater.
//
// The announced position is min(last value, lowest open id - 1, lowest fetch
// floor), where all of these count only what is on disk. It never goes back.
//
// # Start, and who owns a name
//
// An open allocator holds an advisory lock on (stream, instance) over a
// connection of its own, over which it also draws and reads the sequence: the
// server itself sees to it that nobody draws under a name that he does not
// hold. A second process is refused with a *HeldError. When the connection is
// lost no ids are handed out until it is made again.
//
// A backend can outlive its client, blocked in an INSERT. So a start announces
// nothing above the position stored by the life before until every transaction
// has ended that was open when the name was taken; with Config.Bound, until
// those have that hold the sequence's lock (RULES 18). Ids are handed out
// meanwhile.
//
// Bind before writing closes the last hole: a process that loses the
// connection, and with it the name, while it holds ids that no transaction has
// begun to write, or dies with a statement on its way that is to run outside of
// one. Without Bind a successor cannot see such a write coming.
//
// # The stream's position
//
// CurrentToken is the minimum over the writers' positions, and on from there
// along ids that are known to be done. Where Config.Writers names everybody who
// can write, this instance's own position counts at once; otherwise only as it
// comes back (Apply, from a follower; or Refresh), because until then a new
// writer may have registered unseen (RULES 16). A listed writer that has never
// registered counts as 0.
//
// A process that follows the stream as well tells the allocator what its
// follower says, at each move, and once in the beginning:
//
//	tell := func(tracker.Move) {
//		a.Apply([]tracker.Event{{Verb: tracker.VerbSettle, To: events.CurrentToken()}})
//	}
//	events.Subscribe(tell)
//	tell(tracker.Move{})
//
// That is all that the allocator needs to know of the others: in the follower's
// position one's own counts as it comes back, and a writer that is registering
// at this moment is thought of (RULES 20). The writers' single positions must not
// be told instead: they say nothing of such a writer. Without a follower,
// Config.RefreshInterval has the table read again and again.
//
// # What stops an allocator
//
// ErrWentBack, ErrHistory and ErrUsurped say that what it knows need not be
// true any more. It then announces nothing further and hands out nothing; close
// it, end what is open, and open another one.
//
// # Where the database role needs rights
//
// USAGE and SELECT on the sequence, SELECT, INSERT and UPDATE on the positions
// table (DELETE with Config.Writers), SELECT on the tables; UPDATE on the
// sequence only for the repair of one that is behind its rows.
package allocator

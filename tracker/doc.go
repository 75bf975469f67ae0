// Package tracker decides how far a stream has come.
//
// A stream is the rows of one or more append-only tables whose ids come from
// one sequence. Several writers insert into it and their transactions end out
// of id order, so "the newest id that I saw" is no place to go on from. A
// [Tracker] takes what is learned of the ids, in any order, and gives the
// position P:
//
//	every row with id <= P that will ever exist is committed and visible
//
// It is pure state: no I/O, no clock, no goroutine of its own. Whoever feeds it
// is responsible for the truth of what it says; the tracker is responsible for
// drawing no conclusion that does not follow.
//
// # Words
//
//	settled   committed and visible, or dead: nothing will appear there any more
//	done      what a writer calls an id that it has finished with, thus settled
//	gap       ids below a done id that are not known to be settled
//	run       done ids above P without a gap between them
//	position  P, or a writer's position: every id of that writer up to it is done
//	minimum   the least position over the writers that announce
//
// # From what is known to P
//
//	Settle(100) ──────────────► P := max(P, 100) ─┐
//	Announce(w, 90) ─► minimum ► P := max(P, min) ┼─► P goes on along the run it
//	Observe(w, 102) ─► runs above P ──────────────┘   touches, waiters are woken
//
// There are several verbs because there are several kinds of knowledge, and
// each says less than it seems to:
//
//   - [Tracker.Observe]: this row is committed and visible. It says nothing of
//     the writer's lower ids: a writer with two connections commits 7 before 5
//     all the time.
//   - [Tracker.Settle]: every id up to this one is settled, whoever drew it. This
//     is how P passes ids that were rolled back, of which no row ever tells.
//   - [Tracker.Announce]: every id of this writer up to this one is done. P
//     rises to the minimum. The announced id itself may be another writer's and
//     open, so it is not a done id; taking it for one is hole H2 of the
//     reference, and loses rows.
//   - [Tracker.Advance]: the reference's verb, Announce and Observe in one, for
//     writers that commit in id order and announce only ids of their own.
//   - [Tracker.Forget]: this writer was deleted and must not hold the minimum.
//   - [VerbComplete], for Apply alone: this writer is complete up to here, for
//     those who wait for it; P takes no notice.
//
// [Tracker.Apply] takes many at once. It is not only cheaper: what one commit
// says must be judged as a whole, for a registration in it can lower the
// minimum that another announcement has just raised (RULES 16).
//
// Streams whose ids are drawn inside the inserting transaction use Observe and
// Settle; no writer announces and there is no minimum. Streams whose writers
// announce use Observe, Announce and Forget. With [Config].Writers the minimum
// is 0 until all of those have announced.
//
// # Promises
//
//  1. P never goes back. When a stream's ids start over, that is another
//     history: [Tracker.Close] this tracker and make a new one (RULES 11).
//  2. P depends on what was said, not on the order in which it was said, as
//     long as writers enter the minimum before others rise past them.
//  3. A waiter is woken when its target is reached and not before; a move wakes
//     exactly those it satisfies, and costs nothing for the others. A cancelled
//     one is gone at once.
//  4. Subscribers are called without a lock, one call at a time each, and learn
//     of the last move always.
//  5. Memory grows with the gaps above P and with the writers, not with ids.
//  6. No int64 makes it panic. Ids that do not run in the stream's direction
//     are nobody's and are ignored.
//
// # Who may call what, when
//
// Everything may be called from any goroutine at any time. The verbs belong to
// the one who knows: the follower, or a writer's allocator. Readers of P take no
// lock; all else shares one mutex that is never held while foreign code runs.
// A verb returns after the waiters were woken and the subscribers called.
//
// Ids of a descending stream (-1, -2, …) are negative on the outside, mirrored
// at the edge and ascending within.
//
// [IDGenerator] is the small generator for a table with a single writer.
package tracker

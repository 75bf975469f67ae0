// Package follower tells a program the position of its streams: every row of a
// stream with id ≤ P that will ever exist is committed and visible to a new
// snapshot on the primary.
//
// # Use
//
// A worker makes a Follower for the streams it reads, runs it beside its work,
// and asks for the position before each read:
//
//	f, err := follower.New(follower.Config{Database: url, Streams: streams})
//	…
//	go f.Run(ctx)
//	events, _ := f.Stream("events")
//	err = events.Wait(ctx, last+1)          // until there is something new
//	p := events.CurrentToken()
//	rows, err := db.Query(ctx, "SELECT … WHERE id > $1 AND id <= $2 ORDER BY id", last, p)
//	last = p
//
// The query must begin after P is known: a snapshot that is older, as in a
// REPEATABLE READ transaction, need not see what P covers.
//
// # How a position comes about
//
// Three loops work independently, each with a connection of its own, so that
// the failure of one does not stop the others:
//
//   - The fence reads each stream's sequence and the holders of its lock. When
//     all of them have ended, every id drawn before is settled. This alone gives
//     positions; it needs neither slot nor publication.
//   - The session reads the slot. Rows arrive as they are committed, pass the
//     gate when they are visible, and extend the position without waiting for
//     the fence. They also audit the promise: a row that arrives below a
//     position already published is counted and reported.
//   - The warden finds out which server and history this is, whether everything
//     the streams need is there, and who holds a position back.
//
// # Standbys that are read, and restarts
//
// With Config.Readers a position is published once every standby that workers
// read shows what it covers; each has a loop of its own. With Config.Published
// one more loop, the keeper, writes positions into a table: to go on from after
// a restart, and for whoever asks by SQL.
//
// # A slot on a standby
//
// SlotConfig.Standby has a standby decode, and spares the primary that work. The
// argument stays the same: what a standby sends is the primary's WAL, and fence,
// gate and catalog still ask the primary. One thing has to be proved beside: that
// the standby has not left the primary's history, by a promotion say, for then
// the same transaction numbers mean other transactions. Whoever leaves a history
// begins or follows another timeline, which IDENTIFY_SYSTEM tells; so it is
// asked after each batch was received, and nothing of the batch counts before.
//
// # State and failure
//
// P stays true whatever happens, so it stands while the server is away. Status
// tells the State, and in one sentence what is wrong. Once a stream has been
// followed, Run ends only with its context; what the server lacks meanwhile
// halts the streams it concerns and is tried again every few seconds.
//
// When the history of the primary changes, or a stream's ids start over, the
// epoch changes: waiters that named the old one fail at once, and P begins anew
// from the database.
//
// # Words within the package
//
// For those who read or change the code:
//
//   - footing: which server and history, and what its catalog says. The warden
//     lays it, the other loops stand on it and end their session when it changes.
//   - life: one stream in one epoch, with its tracker. A loop keeps the life that
//     it began with, so that what it still finds out of an old epoch stays there.
//   - watch: one session of the fence. Its line is the row of standing fences of
//     one stream, each a last value and the holders that were seen after it.
//   - outgoing: what is true on the primary and waits for the standbys.
//   - kept: a position of an earlier run, from the published table. To enrol a
//     stream there is to agree with other daemons on its nonce, a random part of
//     its epoch; a stream is disowned when the table has another one.
//   - load: reading the stored positions and rows of an announced stream, in the
//     order that RULES 20 gives. A registration is a writer's first row there.
//   - survey: the loop that does the same again and again where there is no slot.
//   - condition: what each loop says of a stream; its state is worked out of that.
package follower

// Package remote follows streams through a daemon (tidemark run): the same use
// as the embedded follower, over HTTP and server-sent events, and without a
// connection to the database.
//
// # Use
//
//	f, err := remote.New(remote.Config{URLs: []string{"http://127.0.0.1:8474"}, Streams: []string{"events"}})
//	…
//	go f.Run(ctx)
//	events, _ := f.Stream("events")
//	err = events.Wait(ctx, last+1)          // until there is something new
//	p := events.CurrentToken()
//	rows, err := db.Query(ctx, "SELECT … WHERE id > $1 AND id <= $2 ORDER BY id", last, p)
//
// A *Stream is a tracker.Positions, and a Positions of package follower/tail.
// One connection carries the events of all streams; waiters cost the daemon
// nothing.
//
// # Several daemons
//
// The addresses are tried in their order, beginning with the one after the
// last that answered. Daemons, also those behind one address, may differ by a
// moment, so what is told is taken as follows:
//
//   - Within an epoch the position is the furthest that any daemon told: it
//     never goes back, whoever answers next. The same holds for each writer's.
//   - Epochs of one system are ordered by timeline, then by where it began. The
//     highest is kept; a daemon that tells of a lower one is left (RULES 11).
//   - Other epochs are opaque and the newest wins. One that was left is believed
//     again only when nobody has told of the present one for some seconds.
//
// When the epoch changes, waiters that named the old one fail at once with a
// *follower.EpochError, and the others go on in the new one.
//
// # State and failure
//
// P stays true whatever happens, so it stands while no daemon answers. Status
// shows the daemon's own state while there is a connection, and starting or
// reconnecting, with the reason, while there is none. A connection on which
// nothing arrives for 40 s, not even a heartbeat, is replaced. Attempts are
// spaced, with jitter, and by what the daemon asked for (retry). With several
// addresses a daemon that has had no server for a while, or that waits for the
// slot which another one reads, is left for the next.
//
// What is answered 401, 403, 404 or 410 is a *RefusedError. It ends Run where
// all addresses refuse before anything was heard; later it halts the streams,
// and is tried again.
package remote

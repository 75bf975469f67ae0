// Package torture tries to break the promise of a position: its test is a
// machine that lets writers do to each other what transactions can do, readers
// read up to the position, and faults happen to everything in between.
//
//	make torture SEED=7 DURATION=5m PG=15,18 FAULTS=all
//
// A run is a row of worlds. Each world is a server (some with a standby) with a
// random schema, writers, followers and readers; its seed is that of the run
// plus its number, and decides about all of that: schema, what writers do, which
// faults happen when. SEED=7 with one world's seed plays that world again, as
// far as the timing of processes lets it.
//
// Beside followers embedded in the test there are two daemons, the program itself
// in processes of its own, that share a permanent slot; a remote follower and
// tails read through them. Between all of these and the server are proxies.
//
// Two faults need more than others, and are left out, with a line in the log,
// where it is not there: the disk of the WAL runs full (root, to mount one), and
// the clock of the daemons jumps (the go command, to build the program with a
// clock that does).
//
// A world goes by rounds. In each, writers write while faults happen one after
// the other; then the writers stop, positions must reach the end, and every
// reader must have read exactly the rows that are there. At the end the run tells
// how long all needed to be well again after each kind of fault.
package torture

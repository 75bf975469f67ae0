// Package tidemark holds the one file of SQL that belongs to the whole
// project. The parts that programs use are packages of their own:
//
//   - follower learns the positions of streams from a PostgreSQL server;
//     follower/remote asks a daemon for them, follower/tail hands a worker the
//     rows in order, follower/slots looks after replication slots;
//   - tracker keeps the positions of one stream, without any I/O;
//   - tracker/allocator is the writers' half: it draws ids and announces them;
//   - decoder turns pgoutput's bytes into events.
//
// The position P of a stream promises: every row of the stream with an id up
// to P that will ever exist is committed and visible to a new snapshot. The
// program is cmd/tidemark.
package tidemark

import _ "embed"

//go:embed publication.sql
var publicationSQL string

// PublicationSQL returns publication.sql: what `tidemark setup` makes for the
// schema of the README, to be run with psql, variables at its head.
func PublicationSQL() string { return publicationSQL }

// Package decoder turns the messages of PostgreSQL's pgoutput plugin, logical
// replication protocol version 1, into events.
//
// It is pure: no I/O, no clock, no goroutine. Who receives the bytes, and what
// becomes of the events, is the caller's business. The wire format is that of
// https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html.
//
// # What it guarantees
//
//  1. No input makes it panic, and no input makes it allocate more than a small
//     multiple of its own length: every count is bounded by the bytes that
//     remain before anything is allocated for it.
//  2. An event is handed out only when its message is sound to the last byte:
//     every length was checked, nothing was left over, the tuple has exactly
//     the columns of its relation. Access to a [Tuple] cannot fail afterwards.
//  3. Only a sound sequence of messages gives events: rows, truncates, origins
//     and commits inside a transaction, no begin inside another, a commit at
//     the LSN its begin announced and ending beyond it, rows of relations that
//     were described before. Relation and type messages, and messages written
//     with pg_logical_emit_message(false, …), may come at any time.
//  4. Rows cost no allocation. Begin, commit, relation, … cost none either,
//     except for the [Relation] itself, a truncate of more relations than any
//     before it or than 1,024, and the first sight of an interned name.
//  5. Anything of another protocol version (streamed, prepared or parallel
//     transactions) is an error: those rows could not be told apart from
//     committed ones.
//
// # Life of an event
//
// [Decoder.Decode] returns the same [Event] each time, filled anew. It and its
// tuples point into the message that was passed, which usually lies in a buffer
// that the connection uses again: they are valid until the next call of Decode
// or Reset, or until the message's bytes change, whichever comes first. What is
// to outlive that is copied ([Value.Int64], [Decoder.Intern]). A [Relation] is
// the exception: it is immutable, owns its strings and may be kept, so whoever
// looks up columns does it once for each *Relation, not once for each row.
//
// # What the caller must do on an error
//
// Every error of Decode is an [*Error]. After one the decoder no longer knows
// where in the stream it is, so it answers every further call with that same
// error until [Decoder.Reset]. Reset belongs to a new replication session: the
// server describes relations once in a session and will not do so again on the
// old one. Reading the same LSN again does not mend an error that the message's
// bytes caused; skipping ahead and loading anew does.
//
// An error that matches [ErrUnknownRelation] can also mean that the relation
// was evicted, the session having touched more than Config.Relations of them
// (RULES 10: a new session mends it; a larger bound prevents it).
//
// A Decoder is for one goroutine at a time.
package decoder

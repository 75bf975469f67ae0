// Package tailing is the command "tidemark tail": the rows of a stream as JSON
// lines, in the order of their ids, each once and none missed.
//
// It embeds a follower of its own, so that it works with and without a daemon:
// with a temporary slot while it follows, and without any where it ends at the
// position found at the start, because the creation of a slot waits for every
// transaction that is writing.
package tailing

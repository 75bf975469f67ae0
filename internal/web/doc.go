// Package web is the HTTP face of the daemon: positions as JSON, waits that
// answer when a position is reached, server-sent events, metrics, health, and
// the page for people.
//
// It decides nothing about positions. A Source is authoritative; every answer
// is one Status of it, read when the answer is made.
//
// # Events
//
// One hub serves every event stream. A Stream tells it that something moved;
// the hub reads the Status, encodes it once and wakes whoever listens, and all
// of them write the same bytes:
//
//	Stream.Watch ─ dirty ─ hub (paced) ─ topic: newest event, encoded ─┬─ client
//	                                                                   ├─ client
//	                                                                   └─ client
//
// There are no queues. A topic keeps its newest event only, and a client
// remembers the version it sent last, so a slow client skips to the newest and
// can neither hold up the hub nor make it keep anything. The first move after a
// quiet moment is sent at once; after it the hub pauses, longer the more
// clients there are, because each round costs one write per client. Nothing is
// encoded while nobody listens.
//
// # Access
//
// With a token file set everything but /healthz and /readyz needs the token, as
// a bearer token or, after the login form, as a cookie that holds a keyed hash.
// Config.PublicMetrics and PublicPage open a little more, in full and no prefix.
// Unknown paths answer 401 too, so that nothing can be learned by guessing.
// HTTP/1.1 only: with one client per connection the bounds on what may wait for
// a client are those of its socket.
package web

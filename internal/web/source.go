package web

import (
	"context"

	"github.com/tidemark-pg/tidemark/follower"
)

// Source is what the server shows. Its methods may be called by many goroutines
// at once. The set of streams never changes.
type Source interface {
	// Streams lists every stream in configured order.
	Streams() []Stream

	// Stream finds a stream by its exact name.
	Stream(name string) (Stream, bool)

	// Ready tells whether every stream is following; if not, why names the
	// streams, their states and reasons in one sentence.
	Ready() (ok bool, why string)
}

// Stream is one stream of a Source.
type Stream interface {
	// Name of the stream: 1 to 200 bytes of UTF-8.
	Name() string

	// Status is a consistent snapshot. It is cheap, and what it refers to is
	// never changed afterwards, by either side.
	Status() follower.Status

	// Watch has fn called after anything in Status moved. Calls are conflated,
	// never made under a lock and never after cancel returned; fn must not block.
	Watch(fn func()) (cancel func())

	// WaitFor returns nil when t is reached, also when ctx has ended already;
	// an *follower.EpochError when another epoch than t.Epoch is, or becomes,
	// current; else the error of ctx.
	WaitFor(ctx context.Context, t follower.Target) error
}

// SlotsFunc reads the logical replication slots: a value that encodes as the
// JSON array of slots. It is called once per request.
type SlotsFunc func(ctx context.Context) (slots any, err error)

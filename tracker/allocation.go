package tracker

import "context"

// Allocation is what a writer of one stream needs: ids to write under, and how
// far its own rows are complete, for those who are to wait for them. An
// allocator satisfies it; so does whatever stands in for one in a test.
type Allocation interface {
	// With draws n ids and calls write with them, in ascending order of drawing;
	// the ids are done when write has returned, whatever it returned. The error
	// is write's, or says why there were no ids.
	With(ctx context.Context, n int, write func(ctx context.Context, ids []int64) error) error
	// MinimalLocalToken returns the writer's own position: the id up to which
	// its rows are done.
	MinimalLocalToken() int64
}

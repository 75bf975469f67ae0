package follower

import "fmt"

// Target is what a waiter waits for.
type Target struct {
	// Position is the id that must be covered: in an ascending stream the
	// position must be ≥ it, in a descending one ≤.
	Position int64

	// Writer and ByWriter wait for one writer instead of for the whole stream:
	// the target is reached when that writer's position or the stream's covers
	// Position. A NULL instance is the writer "", hence the flag.
	Writer   string
	ByWriter bool

	// Epoch, when set, is the only epoch in which Position means anything: as
	// soon as another is current the wait ends with an *EpochError (RULES 11).
	// Empty means any: the wait goes on in the new epoch.
	Epoch string
}

// EpochError ends a wait whose Target names an epoch that is not, or no longer,
// the current one. The ids of the two histories cannot be compared: the waiter
// must load afresh.
type EpochError struct {
	// Stream is the stream that was waited for.
	Stream string
	// Want is the Target's epoch, Have the current one.
	Want, Have string
}

// Error says which epoch was wanted and which is current.
func (e *EpochError) Error() string {
	return fmt.Sprintf("stream %q: epoch %q is not current, %q is", e.Stream, e.Want, e.Have)
}

package follower

import (
	"time"

	"github.com/jackc/pglogrepl"
)

// maxOutgoing is how much may wait for the standbys, in events and fences,
// before the slot is left unread: WAL on the primary's disk waits better than
// memory here. Some 20 MB.
const maxOutgoing = 1 << 18

// outgoing is a move of a position that waits for the standbys.
type outgoing struct {
	life *life
	need pglogrepl.LSN
	at   time.Time
	// since is when it began to wait.
	since time.Time
	// size counts what is kept for it.
	size int
	// fence: a younger one of the same life says all that this one does.
	fence bool
	// apply publishes it, and reports whether the fence should look.
	apply func() bool
}

// line holds what waits for the standbys, in the order in which it was found
// out. It is pure; not safe for concurrent use.
type line struct {
	most    int // where it is full
	waiting []outgoing
	size    int
}

// add puts a move at the end. Where the line is long, a fence takes the place
// of the one before it: its position moves later than it could, but a line that
// only fences come to does not grow.
func (l *line) add(o outgoing) {
	if o.fence && !l.hasRoom() {
		l.forget(o.life)
	}
	l.waiting = append(l.waiting, o)
	l.size += o.size
}

// forget drops the youngest fence of a life, if nothing but fences of others
// came after it.
func (l *line) forget(of *life) {
	for i := len(l.waiting) - 1; i >= 0 && l.waiting[i].fence; i-- {
		if l.waiting[i].life == of {
			l.size -= l.waiting[i].size
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			return
		}
	}
}

// take removes what is shown from the front.
func (l *line) take(shown pglogrepl.LSN) []outgoing {
	n := 0
	for n < len(l.waiting) && l.waiting[n].need <= shown {
		l.size -= l.waiting[n].size
		n++
	}
	out := append([]outgoing(nil), l.waiting[:n]...)
	kept := append(l.waiting[:0], l.waiting[n:]...)
	clear(l.waiting[len(kept):]) // what it held can go
	l.waiting = kept
	return out
}

func (l *line) full() bool { return l.size > l.most }

// hasRoom is how little must wait for the slot to be read again.
func (l *line) hasRoom() bool { return l.size <= l.most/2 }

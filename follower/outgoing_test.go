package follower

import (
	"slices"
	"testing"

	"github.com/jackc/pglogrepl"
)

func fenceAt(l *life, need pglogrepl.LSN) outgoing {
	return outgoing{life: l, need: need, size: 1, fence: true}
}

func (l *line) needs() []pglogrepl.LSN {
	var needs []pglogrepl.LSN
	for _, o := range l.waiting {
		needs = append(needs, o.need)
	}
	return needs
}

func TestTheLineKeepsItsOrder(t *testing.T) {
	t.Parallel()
	l := line{most: maxOutgoing}
	one := &life{}
	for _, need := range []pglogrepl.LSN{10, 30, 20, 40} {
		l.add(outgoing{life: one, need: need, size: 5})
	}
	if taken := l.take(25); len(taken) != 1 || taken[0].need != 10 || l.size != 15 {
		t.Errorf("%d taken, %d left", len(taken), l.size)
	}
	if taken := l.take(30); len(taken) != 2 || l.size != 5 {
		t.Errorf("%d taken, %d left: what came before goes first", len(taken), l.size)
	}
}

// A standby that is down for hours must not fill the memory.
func TestALongLineMergesFences(t *testing.T) {
	t.Parallel()
	const room = 1000
	l := line{most: 2 * room}
	one, other := &life{}, &life{}
	l.add(fenceAt(one, 1))
	l.add(fenceAt(one, 2)) // a short line loses nothing
	l.add(outgoing{life: one, need: 3, size: room})
	for need := pglogrepl.LSN(4); need < 1000; need++ {
		l.add(fenceAt(one, need))
		l.add(fenceAt(other, need))
	}
	if got, want := l.needs(), []pglogrepl.LSN{1, 2, 3, 999, 999}; !slices.Equal(got, want) || l.size != room+4 {
		t.Errorf("%v of size %d wait, want %v", got, l.size, want)
	}
	if l.full() || l.hasRoom() {
		t.Errorf("full %t, room %t: between the two nothing changes", l.full(), l.hasRoom())
	}
	l.add(outgoing{life: one, need: 1000, size: room})
	l.add(fenceAt(one, 1001)) // rows lie between: it may not pass them
	if got := l.needs(); len(got) != 7 || !l.full() {
		t.Errorf("%v wait, full %t", got, l.full())
	}
	l.take(1001)
	if l.size != 0 || !l.hasRoom() {
		t.Errorf("%d left", l.size)
	}
}

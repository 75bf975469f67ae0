package follower

import (
	"reflect"
	"testing"
)

// What came after a look began is not judged by it; what no look has told of is
// judged by the next; and no number of rows fills the memory.
func TestSuspicion(t *testing.T) {
	t.Parallel()
	var s suspicion
	s.add(lateRow{id: 1, rows: 1})
	if late := s.confirmed(); late != nil {
		t.Errorf("late before any look began: %+v", late)
	}
	s.ask()
	s.add(lateRow{id: 2, rows: 1})
	if late := s.confirmed(); !reflect.DeepEqual(late, []lateRow{{id: 1, rows: 1}}) {
		t.Errorf("after the first look: %+v", late)
	}
	s.ask()
	s.ask() // the look before came to nothing
	for range 10 * maxSuspected {
		s.add(lateRow{id: 3, rows: 1})
	}
	s.ask()
	late, rows := s.confirmed(), uint64(0)
	for _, r := range late {
		rows += r.rows
	}
	if len(late) != maxSuspected || rows != 1+10*maxSuspected {
		t.Errorf("%d are told apart, of %d rows", len(late), rows)
	}
}

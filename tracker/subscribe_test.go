package tracker

import (
	"reflect"
	"runtime"
	"testing"
	"testing/synctest"
)

func TestSubscribeTellsEveryMove(t *testing.T) {
	tr := newTracker(t, Config{})
	var told []Move
	cancel := tr.Subscribe(func(m Move) { told = append(told, m) })
	tr.Settle(2)
	tr.Settle(1)       // nothing new
	tr.Observe("a", 5) // above a gap
	tr.Observe("b", 1) // P stays, b moves to 1
	tr.Observe("b", 1)
	tr.Announce("c", 0) // P stays, c enters
	tr.Announce("c", 0)
	tr.Forget("nobody")
	tr.Forget("c")
	cancel()
	cancel()
	tr.Settle(9)
	want := []Move{{"events", 2, 1}, {"events", 2, 2}, {"events", 2, 3}, {"events", 2, 4}}
	if !reflect.DeepEqual(told, want) {
		t.Errorf("told %+v, want %+v", told, want)
	}
}

// TestSlowSubscriberGetsTheNewest: while one call is under way all further
// moves become one, told by the goroutine that is in the call.
func TestSlowSubscriberGetsTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, proceed := newTracker(t, Config{}), make(chan struct{})
		var told []int64
		defer tr.Subscribe(func(m Move) {
			told = append(told, m.Position)
			<-proceed
		})()
		go tr.Settle(1)
		synctest.Wait()
		for p := int64(2); p <= 100; p++ {
			tr.Settle(p) // returns: the slow one does not hold up other movers
		}
		close(proceed)
		synctest.Wait()
		if want := []int64{1, 100}; !reflect.DeepEqual(told, want) {
			t.Errorf("told %v, want %v", told, want)
		}
	})
}

// TestSubscriberMayCallTheTracker: no lock is held, and a move made inside a
// call is told after it.
func TestSubscriberMayCallTheTracker(t *testing.T) {
	tr := newTracker(t, Config{})
	var told []int64
	inside := false
	var cancel func()
	cancel = tr.Subscribe(func(m Move) {
		if inside {
			t.Error("told within a call")
		}
		inside = true
		defer func() { inside = false }()
		told = append(told, m.Position)
		tr.Positions()
		if err := tr.Wait(t.Context(), m.Position); err != nil {
			t.Error(err)
		}
		if m.Position == 3 {
			cancel()
			tr.Subscribe(func(Move) {})()
		}
		tr.Settle(m.Position + 1)
	})
	tr.Settle(1)
	if want := []int64{1, 2, 3}; !reflect.DeepEqual(told, want) || tr.CurrentToken() != 4 {
		t.Errorf("told %v, want %v; P = %d", told, want, tr.CurrentToken())
	}
}

// TestCancelFromElsewhere: once cancel has returned, no call begins; neither
// for a later move nor for one that waits for the call under way.
func TestCancelFromElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, proceed, calls := newTracker(t, Config{}), make(chan struct{}), 0
		cancel := tr.Subscribe(func(Move) {
			calls++
			<-proceed
		})
		go tr.Settle(1)
		synctest.Wait()
		tr.Settle(2)
		cancel()
		close(proceed)
		synctest.Wait()
		tr.Settle(3)
		if calls != 1 {
			t.Errorf("%d calls, want the one that had begun", calls)
		}
	})
}

// TestOvertakenMoveDoesNotHideTheNewest: movers offer after the lock is gone,
// so an older move can come last.
func TestOvertakenMoveDoesNotHideTheNewest(t *testing.T) {
	var told []uint64
	s := &subscriber{}
	s.tell = func(m Move) {
		if told = append(told, m.Number); m.Number == 1 {
			s.offer(Move{Number: 3})
			s.offer(Move{Number: 2})
		}
	}
	s.offer(Move{Number: 1})
	s.offer(Move{Number: 2})
	if want := []uint64{1, 3}; !reflect.DeepEqual(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}

// TestSubscriberThatEndsItsGoroutine must not silence itself for the others.
func TestSubscriberThatEndsItsGoroutine(t *testing.T) {
	tr, calls := newTracker(t, Config{}), 0
	defer tr.Subscribe(func(Move) {
		if calls++; calls == 1 {
			runtime.Goexit()
		}
	})()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tr.Settle(1)
	}()
	<-ended
	tr.Settle(2)
	if calls != 2 {
		t.Errorf("%d calls, want 2", calls)
	}
}

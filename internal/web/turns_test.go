package web

import (
	"testing"
	"testing/synctest"
	"time"
)

// What moves while some wait for their turn is sent to them at their turn, and
// does not send them back to the end.
func TestClientsTakeTurns(t *testing.T) {
	st := newCounted()
	h := newHub([]Stream{st})
	var all []*listener
	for range 3 * round {
		all = append(all, h.listen(h.topics))
	}
	h.turns.wake(len(all)) // whom the first events were for
	for _, l := range all {
		l.take(func([]byte) {})
		select {
		case <-l.wake:
		default:
		}
	}
	woken := map[*listener]bool{}
	for i := range int64(3) {
		st.status.Position++
		h.topics[0].dirty.Store(true)
		h.publish(time.Now())
		if n, _ := h.turns.wake(round); n != round {
			t.Fatalf("%d were woken, want %d", n, round)
		}
		for _, l := range all {
			select {
			case <-l.wake:
			default:
				continue
			}
			if woken[l] {
				t.Fatal("somebody was woken again before all had been once")
			}
			woken[l] = true
			l.take(func([]byte) {})
			if l.sent[0].position != uint64(i+2) {
				t.Fatalf("in round %d version %d was sent", i, l.sent[0].position)
			}
		}
	}
	if len(woken) != len(all) {
		t.Errorf("%d of %d were woken", len(woken), len(all))
	}
	if n := len(h.turns.waiting); n > len(all) {
		t.Errorf("%d turns are waited for by %d listeners", n, len(all))
	}
}

// One move is enough: nobody waits for the next one, however many there are.
func TestEveryTurnComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &announcing{counted: newCounted()}
		h := newHub([]Stream{st})
		ran := make(chan struct{})
		go func() { h.run(t.Context()); close(ran) }()
		var all []*listener
		for range 4 * round {
			l := h.listen(h.topics)
			defer l.close()
			all = append(all, l)
		}
		synctest.Wait()
		time.Sleep(time.Second) // whoever was to be woken has been
		for _, l := range all {
			l.take(func([]byte) {})
			select {
			case <-l.wake:
			default:
			}
		}
		st.status.Position++
		st.tell()
		time.Sleep(4*round*pacePerClient + 2*pace)
		for i, l := range all {
			select {
			case <-l.wake:
			default:
				t.Fatalf("client %d was not woken", i)
			}
		}
	})
}

// announcing is a Stream that tells who watches it.
type announcing struct {
	*counted
	tell func()
}

func (a *announcing) Watch(tell func()) (cancel func()) { a.tell = tell; return func() {} }

package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
)

// counted is a Stream that counts how often it is read.
type counted struct {
	Stream
	status follower.Status
	reads  int
}

func (c *counted) Status() follower.Status { c.reads++; return c.status }

func newCounted() *counted {
	return &counted{status: follower.Status{Name: "s", Known: true, State: follower.StateFollowing, Epoch: "e1"}}
}

func TestNothingIsReadWhileNobodyListens(t *testing.T) {
	st := newCounted()
	h := newHub([]Stream{st})
	for range 10 {
		h.topics[0].dirty.Store(true)
		h.publish(time.Now())
	}
	if st.reads != 0 {
		t.Errorf("read %d times", st.reads)
	}
}

func TestBytesAreSharedByAllClients(t *testing.T) {
	h := newHub([]Stream{newCounted()})
	var first []byte
	for range 3 {
		l := h.listen(h.topics)
		defer l.close()
		var got [][]byte
		l.take(func(b []byte) { got = append(got, b) })
		if first == nil {
			first = got[0]
		}
		if &first[0] != &got[0][0] {
			t.Error("encoded again")
		}
		l.take(func(b []byte) { t.Errorf("sent twice: %s", b) })
	}
}

// Events of a megabyte are made a few times a second, however often they move.
func TestLargeEventsAreSpaced(t *testing.T) {
	st := newCounted()
	st.status.Writers = map[string]int64{}
	for i := range MaxWriters {
		st.status.Writers[fmt.Sprint(strings.Repeat("w", 1000), i)] = 1
	}
	h := newHub([]Stream{st})
	l := h.listen(h.topics)
	defer l.close()
	now := time.Now()
	for i := range int64(1000) {
		st.status.Position = i + 1
		h.topics[0].dirty.Store(true)
		h.publish(now.Add(time.Duration(i) * time.Millisecond))
	}
	if st.reads < 3 || st.reads > 6 {
		t.Errorf("encoded %d times in a second", st.reads)
	}
	if wait := h.publish(now.Add(time.Second)); wait <= 0 {
		t.Error("the last move would never be shown")
	}
	h.publish(now.Add(2 * time.Second))
	l.take(func(b []byte) {
		if strings.HasPrefix(string(b), "event: position") && !strings.Contains(string(b), "\nid: 1000\n") {
			t.Errorf("the newest is %.40q", b)
		}
	})
}

// The cap keeps the newest ids in both directions and does not touch its argument.
func TestRecentWriters(t *testing.T) {
	for _, sign := range []int64{1, -1} {
		writers := map[string]int64{}
		for i := range int64(MaxWriters + 5) {
			writers[fmt.Sprint(i)] = sign * i
		}
		got := RecentWriters(writers)
		_, oldest := got["4"]
		if len(got) != MaxWriters || oldest || got["1004"] != sign*1004 || len(writers) != MaxWriters+5 {
			t.Errorf("%d writers, oldest kept %t", len(got), oldest)
		}
	}
	got := RecentWriters(map[string]int64{"a\xff": 1, "a\xfe": 2})
	if len(got) != 1 || got["a\uFFFD"] != 2 {
		t.Errorf("invalid names: %v", got)
	}
}

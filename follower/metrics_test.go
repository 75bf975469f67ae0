package follower_test

import (
	"testing"
	"time"
)

// PublishedFunc is told once for each commit, whatever it wrote.
func TestEachCommitIsReportedOnce(t *testing.T) {
	b := newBed(t, events)
	cfg := eventsConfig(b.url)
	told := make(chan time.Duration, 100)
	cfg.PublishedFunc = func(stream string, delay time.Duration) {
		if stream == "events" {
			told <- delay
		}
	}
	_, s := b.follow(cfg)
	b.following(s)
	b.streaming()
	b.exec("INSERT INTO events (instance_name) SELECT 'w' || (g % 3) FROM generate_series(1, 9) g")
	b.reach(s, 9)
	b.reach(s, b.insert(b.sql, "a"))
	for range 2 {
		select {
		case d := <-told:
			if d < -time.Second || d > patience {
				t.Errorf("delay %s", d)
			}
		case <-time.After(patience):
			t.Fatal("a commit was not reported")
		}
	}
	select {
	case <-told:
		t.Error("a commit was reported twice")
	case <-time.After(50 * time.Millisecond):
	}
}

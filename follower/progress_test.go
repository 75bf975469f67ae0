package follower

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgressInWords(t *testing.T) {
	t.Parallel()
	id := func(n int64) *int64 { return &n }
	for _, c := range []struct {
		name       string
		above, at  int64
		rows       int
		newest     *int64
		want       string
		beforehand bool
	}{
		{name: "nothing yet", above: 5, newest: id(10), beforehand: true, want: "for 12s so far"},
		{name: "half", above: 1_000_000, at: 2_000_000, rows: 999_000, newest: id(3_000_000), want: "999,000 rows are read, up to id 2000000 of 3000000 (50 %)"},
		{name: "descending", above: -100, at: -175, rows: 1024, newest: id(-200), want: "1,024 rows are read, up to id -175 of -200 (75 %)"},
		{name: "more came", above: 0, at: 20, rows: 20, newest: id(10), want: "20 rows are read, up to id 20"},
		{name: "nobody knows the newest", at: 7, rows: 1_234_567, want: "1,234,567 rows are read, up to id 7"},
		{name: "nothing to divide by", above: 7, at: 9, rows: 2, newest: id(7), want: "2 rows are read, up to id 9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var p progress
			p.begin(c.above)
			if !c.beforehand {
				p.add(c.rows, c.at)
			}
			if got := p.words(c.newest, 12*time.Second); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// loadingOf is a listener whose stream is being loaded, with a stream that
// waits for it, and the log.
func loadingOf(t *testing.T) (l *listener, log *bytes.Buffer) {
	t.Helper()
	f := &Follower{}
	l = &listener{sessions: &sessions{Follower: f}}
	log = new(bytes.Buffer)
	for range 2 {
		of := announcedLife(t)
		of.of.log = slog.New(slog.NewTextHandler(log, nil))
		of.become()
		f.streams, l.lives = append(f.streams, of.of), append(l.lives, of)
	}
	log.Reset()
	return l, log
}

// A load says once a second how far it is, to everybody who waits for it, and
// once in ten seconds to the log. One that is done within a second says nothing.
func TestALoadSaysHowFarItIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, log := loadingOf(t)
		var p progress
		l.lives[0].mu.allocated = 4096
		stop := l.tellLoad(context.Background(), 0, &p, func(words string) { l.waitFor(0, words) })
		reasons := make(map[string]bool)
		for second := range 35 {
			time.Sleep(time.Second)
			synctest.Wait()
			st := l.streams[0].Status()
			if st.State != StateCatchingUp || !strings.HasPrefix(st.Reason, "its positions and rows are being loaded: ") {
				t.Fatalf("after %d s: %s, %q", second+1, st.State, st.Reason)
			}
			if other := l.streams[1].Status(); other.State != StateCatchingUp || !strings.Contains(other.Reason, "is being loaded before the slot is read") {
				t.Fatalf("who waits for it is %s, %q", other.State, other.Reason)
			}
			reasons[st.Reason] = true
			p.add(100, int64(100*(second+1)))
		}
		stop()
		if len(reasons) != 35 {
			t.Errorf("%d reasons in 35 seconds: %v", len(reasons), reasons)
		}
		if !reasons["its positions and rows are being loaded: 2,000 rows are read, up to id 2000 of 4096 (49 %)"] {
			t.Errorf("no reason tells of 2,000 rows: %v", reasons)
		}
		if lines := strings.Count(log.String(), `msg="loading the stream"`); lines != 3 {
			t.Errorf("%d lines in 35 seconds: %s", lines, log)
		}
		if want := `msg="loading the stream has ended" rows=3500 took=35s`; !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %s: %s", want, log)
		}
	})
}

func TestAShortLoadSaysNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, log := loadingOf(t)
		var p progress
		stop := l.tellLoad(context.Background(), 0, &p, func(words string) { t.Error(words) })
		time.Sleep(tellLoading - time.Millisecond)
		stop()
		if log.Len() > 0 {
			t.Error(log)
		}
	})
}

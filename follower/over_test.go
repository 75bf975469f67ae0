package follower_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// says waits until the log holds the words.
func (b *bed) says(log *logged, words string) {
	b.t.Helper()
	for deadline := time.Now().Add(time.Minute); !log.holds(words); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("it does not log %q", words)
		}
	}
}

// A failure that was logged is logged when it is over, too.
func TestItIsSaidThatPositionsAreKeptAgain(t *testing.T) {
	t.Parallel()
	b := newBed(t, keptSchema)
	var log logged
	cfg := keptConfig(b.url)
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s, stop := b.run(cfg)
	b.following(s)
	b.exec("ALTER TABLE tidemark_positions RENAME TO away")
	b.reach(s, b.insert(b.sql, "a"))
	b.says(&log, "published positions could not be kept")
	if log.holds("kept again") {
		t.Error("it says that they are kept again, and they are not")
	}
	b.exec("ALTER TABLE away RENAME TO tidemark_positions")
	b.says(&log, "published positions are kept again")
	stop()
}

// An orderly stop of the server is told in words.
func TestItIsSaidThatTheServerStops(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	var log logged
	cfg := eventsConfig(b.url)
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	_, s := b.follow(cfg)
	b.following(s)
	b.says(&log, "reading the slot")
	b.ok(b.cluster.Stop(t.Context(), pgcluster.StopFast))
	b.says(&log, "the server ended the stream: it is stopping")
}

func TestItIsSaidThatAStandbyIsBack(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	standby := pgtest.Standby(t, b.cluster, "standby")
	var log logged
	cfg := eventsConfig(b.url)
	cfg.Readers = []string{standby.URL("", "")}
	cfg.ReaderTimeout, cfg.ReaderPolicy = time.Second, follower.ReaderDrop
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	_, s := b.follow(cfg)
	b.following(s)
	log.reset() // one that starts slowly is left out at first
	b.ok(standby.Kill())
	b.says(&log, "standby left out")
	if log.holds("standby is back") {
		t.Error("it says that the standby is back, and it is not")
	}
	b.ok(standby.StartAgain(t.Context()))
	b.says(&log, "standby is back")
}

package logging_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/tidemark-pg/tidemark/internal/logging"
)

// plain is a logger behind a hold, and what it writes, without times.
func plain(t *testing.T) (*logging.Hold, *slog.Logger, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	h := &logging.Hold{}
	text := slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	return h, slog.New(h.Handler(text)), &out
}

func TestHeldLinesComeInOrderWithTheirAttributes(t *testing.T) {
	t.Parallel()
	h, log, out := plain(t)
	log.Info("one", "n", 1)
	log.With("stream", "a").WithGroup("g").Warn("two", "n", 2)
	log.Debug("below the level")
	if out.Len() > 0 {
		t.Fatalf("written before its time: %s", out)
	}
	h.Release()
	log.Info("three")
	h.Drop() // too late
	log.Info("four")
	want := "level=INFO msg=one n=1\nlevel=WARN msg=two stream=a g.n=2\nlevel=INFO msg=three\nlevel=INFO msg=four\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out, want)
	}
}

func TestDroppedLinesNeverCome(t *testing.T) {
	t.Parallel()
	h, log, out := plain(t)
	log.Error("one")
	h.Drop()
	log.With("a", 1).Error("two")
	h.Release()
	log.Error("three")
	if out.Len() > 0 {
		t.Errorf("got %s", out)
	}
}

// What is held is bounded: who logs that much has something to say.
func TestTooManyLinesAreLetThrough(t *testing.T) {
	t.Parallel()
	_, log, out := plain(t)
	for i := 0; i < 10_000 && out.Len() == 0; i++ {
		log.Info("line", "n", i)
	}
	if !strings.HasPrefix(out.String(), "level=INFO msg=line n=0\n") {
		t.Errorf("got %.100s", out)
	}
}

func TestHoldInManyGoroutines(t *testing.T) {
	t.Parallel()
	h, log, out := plain(t)
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() { log.Info(fmt.Sprint(i)) })
	}
	group.Go(h.Release)
	group.Wait()
	if n := strings.Count(out.String(), "\n"); n != 50 {
		t.Errorf("%d lines of 50", n)
	}
}

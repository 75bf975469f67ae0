package slots_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/slots"
	"github.com/tidemark-pg/tidemark/internal/logtest"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// watch runs a Watcher until the test ends, or stop is called.
func watch(t *testing.T, cfg slots.Config) (w *slots.Watcher, stop func()) {
	t.Helper()
	w, err := slots.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx) }()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return w, stop
}

func TestWatcherReportsAndReconnects(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.slot("s")
	sampled := make(chan slots.Report, 1)
	w, stop := watch(t, slots.Config{
		Database: b.cluster.URL("", ""), Interval: 20 * time.Millisecond,
		SampledFunc: func(_ context.Context, _ *pgx.Conn, r slots.Report) error {
			select {
			case sampled <- r:
			default:
			}
			return nil
		},
	})
	<-sampled
	if r, err := w.Report(); err != nil || len(r.Slots) != 1 || r.Slots[0].Name != "s" {
		t.Fatalf("report %+v, error %v", r, err)
	}
	b.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '" + slots.DefaultApplicationName + "'")
	b.slot("t")
	for r := range sampled {
		if len(r.Slots) == 2 {
			break
		}
	}
	stop()
	if connections(b) != 0 {
		t.Error("a connection is left")
	}
}

func connections(b *bed) (n int) {
	b.Helper()
	const count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1"
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if err := b.sql.QueryRow(b.Context(), count, slots.DefaultApplicationName).Scan(&n); err != nil {
			b.Fatal(err)
		}
		if n == 0 {
			return 0
		}
	}
	return n
}

// Watching costs one statement for each sample, and nothing in between.
func TestWatcherIsCheap(t *testing.T) {
	t.Parallel()
	b := newBed(t, pgtest.Setting("log_statement", "all"))
	n := 0
	enough := make(chan struct{})
	_, stop := watch(t, slots.Config{
		Database: b.cluster.URL("", ""), Interval: 50 * time.Millisecond,
		SampledFunc: func(context.Context, *pgx.Conn, slots.Report) error {
			if n++; n == 10 {
				close(enough)
			}
			return nil
		},
	})
	<-enough
	stop()
	said := 0
	for line := range strings.Lines(b.cluster.LogTail(10_000)) {
		if strings.Contains(line, slots.DefaultApplicationName+" LOG:") && (strings.Contains(line, "execute ") || strings.Contains(line, "statement: ")) {
			said++
		}
	}
	if said < n || said > n+3 {
		t.Errorf("%d statements for %d samples, want no more than three to connect", said, n)
	}
}

// Without a server there is no report, and the log says so once, not at first.
func TestWatcherWithoutAServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var logs logtest.Buffer
		var attempts atomic.Int64
		w, stop := watch(t, slots.Config{
			Connect: func(context.Context) (*pgx.Conn, error) {
				attempts.Add(1)
				return nil, errors.New("refused")
			},
			Logger: slog.New(slog.NewTextHandler(&logs, nil)),
		})
		synctest.Wait()
		_, err := w.Report()
		if !errors.Is(err, slots.ErrNoReport) || !strings.Contains(err.Error(), "refused") {
			t.Errorf("report's error %v", err)
		}
		time.Sleep(29 * time.Second)
		if s := logs.String(); s != "" || attempts.Load() != 6 {
			t.Errorf("after 29 s: %d attempts, log %q", attempts.Load(), s)
		}
		time.Sleep(time.Hour)
		stop()
		if n := strings.Count(logs.String(), "\n"); n != 1 || !strings.Contains(logs.String(), "not watched") {
			t.Errorf("after an hour: %q", logs.String())
		}
	})
}

func TestWatcherRefusesItsConfig(t *testing.T) {
	t.Parallel()
	if _, err := slots.New(slots.Config{Interval: -1}); err == nil {
		t.Error("a negative interval is taken")
	}
	_, err := slots.New(slots.Config{Database: "postgres://u:hunter2@h/x?port=none"})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %v", err)
	}
}

// What was found last stands for a while after the server is gone, not for ever.
func TestReportGoesStale(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	sampled := make(chan struct{}, 1)
	var down atomic.Bool
	w, _ := watch(t, slots.Config{
		Connect: func(ctx context.Context) (*pgx.Conn, error) {
			if down.Load() {
				return nil, errors.New("refused")
			}
			return pgx.Connect(ctx, b.cluster.URL("", "")+"&application_name=watcher")
		},
		Interval: 50 * time.Millisecond,
		SampledFunc: func(context.Context, *pgx.Conn, slots.Report) error {
			select {
			case sampled <- struct{}{}:
			default:
			}
			return nil
		},
	})
	<-sampled
	down.Store(true)
	b.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'watcher'")
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		_, err := w.Report()
		if errors.Is(err, slots.ErrNoReport) {
			return
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("report's error %v", err)
		}
	}
}

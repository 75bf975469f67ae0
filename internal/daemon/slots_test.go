package daemon

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/slots"
	"github.com/tidemark-pg/tidemark/internal/config"
	"github.com/tidemark-pg/tidemark/internal/logtest"
	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what should come soon.
const patience = 30 * time.Second

// setup makes a database that a daemon can follow, and its configuration.
func setup(t *testing.T, options ...pgtest.Option) (*pgcluster.Cluster, *pgx.Conn, *config.Config) {
	t.Helper()
	c := pgtest.Start(t, append(options, pgtest.Setting("fsync", "off"))...)
	sql := pgtest.Connect(t, c)
	pgtest.Exec(t, sql, `CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, writer text);
		CREATE TABLE filler (body text); ALTER TABLE filler ALTER body SET STORAGE PLAIN;
		CREATE PUBLICATION tidemark FOR TABLE events`)
	return c, sql, configuration(c.URL("", ""))
}

func configuration(database string) *config.Config {
	return &config.Config{
		Follower: follower.Config{
			Database: database, Publication: "tidemark",
			Slot: follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark", SkipAhead: 1 << 40},
			Streams: []follower.StreamConfig{{
				Name: "events", Tables: []follower.TableConfig{{Name: "public.events", IDColumn: "id", InstanceColumn: "writer"}},
			}},
		},
		HTTP: config.HTTP{Listen: "127.0.0.1:0"},
	}
}

// logBuffer holds log lines as JSON.
type logBuffer struct{ logtest.Buffer }

// line finds the log line with the message; nil if there is none yet.
func (b *logBuffer) line(message string) map[string]any {
	for text := range strings.Lines(b.String()) {
		var found map[string]any
		if json.Unmarshal([]byte(text), &found) == nil && found["msg"] == message {
			return found
		}
	}
	return nil
}

// await looks again and again: neither HTTP nor the server tells by itself.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// start runs the daemon until the test ends, and returns its address and log.
func start(t *testing.T, cfg *config.Config) (url string, logs *logBuffer) {
	t.Helper()
	logs = &logBuffer{}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, cfg, "test", slog.NewJSONHandler(logs, nil)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run daemon: %v", err)
		}
	})
	await(t, "start", func() bool { return logs.line("starting") != nil })
	return "http://" + logs.line("starting")["listen"].(string), logs
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestSlotsAreServed(t *testing.T) {
	t.Parallel()
	_, sql, cfg := setup(t)
	pgtest.Exec(t, sql, "SELECT pg_create_logical_replication_slot('others', 'test_decoding')")
	url, _ := start(t, cfg)
	var answer struct{ Slots []slots.Slot }
	await(t, "both slots, ours read", func() bool {
		status, body := get(t, url+"/v1/slots")
		if status != http.StatusOK {
			return false
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		return len(answer.Slots) == 2 && answer.Slots[1].Active
	})
	if a, b := answer.Slots[0], answer.Slots[1]; a.Name != "others" || a.Plugin != "test_decoding" || b.Name != "tidemark" || b.Verdict != slots.VerdictOK {
		t.Errorf("slots %+v", answer.Slots)
	}
	_, scrape := get(t, url+"/metrics")
	for _, want := range []string{
		`tidemark_slot_active{slot="tidemark"} 1`, `tidemark_slot_active{slot="others"} 0`,
		`tidemark_slot_verdict{slot="tidemark",verdict="ok"} 1`, `tidemark_slot_retained_bytes{slot="others"}`,
		`tidemark_slot_confirmed_lag_bytes{slot="tidemark"}`,
	} {
		if !strings.Contains(scrape, want) {
			t.Errorf("no %s in the scrape", want)
		}
	}
	if strings.Contains(scrape, "tidemark_slot_safe_wal_bytes{") {
		t.Error("safe bytes without a limit")
	}
}

// Nothing is known before a server has been reached.
func TestSlotsAreUnavailableAtFirst(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	url, _ := start(t, configuration("postgres://u@"+silent.Addr().String()+"/app?sslmode=disable"))
	status, body := get(t, url+"/v1/slots")
	if status != http.StatusServiceUnavailable || !strings.Contains(body, "no report of the slots") {
		t.Errorf("%d %s", status, body)
	}
	if _, scrape := get(t, url+"/metrics"); strings.Contains(scrape, "tidemark_slot_") {
		t.Error("slot metrics without a report")
	}
}

// A slot that keeps more than the guard allows goes while nobody can read it;
// slots of others stay, however much they keep.
func TestGuardDropsOurSlotOnly(t *testing.T) {
	t.Parallel()
	c, sql, cfg := setup(t, pgtest.Setting("max_wal_senders", "1"))
	cfg.Guard = 1 << 20
	url, logs := start(t, cfg)
	await(t, "ready", func() bool { status, _ := get(t, url+"/readyz"); return status == http.StatusOK })
	pgtest.Exec(t, sql, "SELECT pg_create_logical_replication_slot('others', 'pgoutput')")
	seat := takeSeat(t, c, sql)
	pgtest.Exec(t, sql, "INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 2000)")
	await(t, "dropped", func() bool {
		return logs.line("slot dropped: nobody reads it and it keeps more than slot.guard; it is made anew, and the streams are loaded again, when it can be read") != nil
	})
	if err := seat.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "made anew", func() bool {
		var ours, others bool
		err := sql.QueryRow(t.Context(), `SELECT coalesce(bool_or(slot_name = 'tidemark' AND active), false), coalesce(bool_or(slot_name = 'others'), false)
			FROM pg_replication_slots`).Scan(&ours, &others)
		if err != nil {
			t.Fatal(err)
		}
		if !others {
			t.Fatal("the slot of others is gone")
		}
		return ours
	})
}

// takeSeat takes the server's only walsender away from the follower.
func takeSeat(t *testing.T, c *pgcluster.Cluster, sql *pgx.Conn) (seat *pgconn.PgConn) {
	t.Helper()
	await(t, "the seat of the walsender", func() (taken bool) {
		pgtest.Exec(t, sql, "SELECT pg_terminate_backend(active_pid, 1000) FROM pg_replication_slots WHERE active")
		conn, err := pgconn.Connect(t.Context(), c.URL("", "")+"&replication=database")
		seat = conn
		return err == nil
	})
	t.Cleanup(func() { _ = seat.Close(context.Background()) }) // the test may have closed it
	return seat
}

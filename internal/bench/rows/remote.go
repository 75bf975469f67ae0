package rows

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/tidemark-pg/tidemark/internal/bench/bed"
	"github.com/tidemark-pg/tidemark/internal/bench/contest"
)

// remote is comparison 10: a daemon and very many who listen to it.
func remote() contest.Comparison {
	return contest.Comparison{
		Key:   "10",
		Title: "10,000 remote workers",
		Method: "A daemon, and in another process 10,000 bare readers of server-sent events, each with a TCP connection of its " +
			"own; 50 rows a second are written. For each row and each reader: from issuing the INSERT to the receipt of its " +
			"position or a newer one.",
		Rounds: 3,
		Metrics: []contest.Metric{
			{Name: "p50", Unit: "ms"},
			{Name: "p99", Unit: "ms"},
			{Name: "events", Unit: "per s"},
			{Name: daemonUsed, Unit: "% of a core"},
			{Name: daemonHeld, Unit: "kB a reader"},
		},
		Chart:   contest.Chart{},
		Targets: []contest.Target{{Text: "p99 ≤ 250 ms", Of: "10,000 readers", Metric: "p99", AtMost: 250}},
		Notes: []string{
			"The daemon wakes each client at most once in 18 µs times their number, 0.18 s for 10,000, so that they cost it no " +
				"more than one core; what a client costs is the call that writes to it. Daemon, readers and server share the " +
				"machine: on two cores, the readers' process takes most of the other one.",
		},
		Prepare: prepareRemote,
	}
}

// What the daemon needs meanwhile, by its own metrics.
const (
	daemonUsed = "daemon's processor"
	daemonHeld = "daemon's memory"
)

func prepareRemote(ctx context.Context, s *contest.Stage) ([]contest.Contender, error) {
	db, err := eventsIn(ctx, s, "bench_remote")
	if err != nil {
		return nil, err
	}
	contender := func(name string, n int) contest.Contender {
		return contest.Contender{Name: name, Run: func(ctx context.Context) (contest.Result, error) {
			return listenTo(ctx, s, db, s.Size(n))
		}}
	}
	return []contest.Contender{contender("10,000 readers", 10_000), contender("1,000 readers", 1000)}, nil
}

// listenTo runs a daemon and its readers, each in a process of its own.
func listenTo(ctx context.Context, s *contest.Stage, db *bed.Database, readers int) (r contest.Result, err error) {
	address, stop, err := startDaemon(s, db)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := awaitReady(ctx, address); err != nil {
		return nil, err
	}
	task := clients{
		Daemon: address, Database: db.URL, Clients: readers, Rate: 50, Seconds: s.Span(15 * time.Second).Seconds(),
	}
	err = runPart(ctx, s.Program, partClients, task, &r)
	return r, err
}

// startDaemon starts a daemon that runs until stop is called.
func startDaemon(s *contest.Stage, db *bed.Database) (address string, stop func() error, err error) {
	if address, err = freeAddress(); err != nil {
		return "", nil, err
	}
	yaml := fmt.Sprintf(`
database: {url: "%s"}
slot: {temporary: true}
streams:
  - name: events
    tables: [{name: public.events, id_column: id, instance_column: instance_name}]
http: {listen: "%s"}
log: {level: warn}
`, db.URL, address)
	stop, err = startPart(s.Program, partDaemon, yaml)
	return address, stop, err
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

var errNotReady = errors.New("the daemon is not ready")

func awaitReady(ctx context.Context, address string) error {
	for range 600 {
		res, err := http.Get("http://" + address + "/readyz")
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return errNotReady
}

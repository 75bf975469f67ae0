package remote_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/remote"
	"github.com/tidemark-pg/tidemark/internal/nettest"
	"github.com/tidemark-pg/tidemark/internal/web"
	"github.com/tidemark-pg/tidemark/internal/web/webtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what should come at once.
const patience = 20 * time.Second

// daemon is the daemon's real web server in front of a source.
type daemon struct {
	t       *testing.T
	cfg     web.Config
	address string
	url     string
	stop    func()
}

// serve serves the source on a loopback port until the test ends.
func serve(t *testing.T, cfg web.Config) *daemon {
	t.Helper()
	d := &daemon{t: t, cfg: cfg, address: "127.0.0.1:0"}
	d.start()
	t.Cleanup(func() { d.stop() })
	return d
}

// start listens where the daemon listened before.
func (d *daemon) start() {
	d.t.Helper()
	ln, err := net.Listen("tcp", d.address)
	if err != nil {
		d.t.Fatal(err)
	}
	d.address = ln.Addr().String()
	d.url = "http://" + d.address
	d.startOn(ln)
}

func (d *daemon) startOn(ln net.Listener) {
	d.t.Helper()
	server, err := web.New(d.cfg)
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, ln) }()
	d.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			d.t.Errorf("serve: %v", err)
		}
		d.stop = func() {}
	}
}

// run runs a follower until the test ends; it must end without an error.
func run(t *testing.T, cfg remote.Config) *remote.Follower {
	t.Helper()
	var ended <-chan error
	t.Cleanup(func() { // after the cleanup of begin
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	f, e := begin(t, cfg)
	ended = e
	return f
}

// begin runs a follower until the test ends, or Run does.
func begin(t *testing.T, cfg remote.Config) (*remote.Follower, <-chan error) {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	f, err := remote.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		ended <- f.Run(ctx)
		close(done)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return f, ended
}

// follow follows the stream "events" of these daemons.
func follow(t *testing.T, urls ...string) *remote.Stream {
	t.Helper()
	f := run(t, remote.Config{URLs: urls, Streams: []string{"events"}})
	s, _ := f.Stream("events")
	return s
}

// await waits until the stream's status fulfils the condition.
func await(t *testing.T, s *remote.Stream, what string, ok func(follower.Status) bool) follower.Status {
	t.Helper()
	changed := make(chan struct{}, 1)
	defer s.Watch(func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	})()
	deadline := time.After(patience)
	for {
		if st := s.Status(); ok(st) {
			return st
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%s: not within %s: %+v", what, patience, s.Status())
		}
	}
}

func at(position int64) func(follower.Status) bool {
	return func(st follower.Status) bool { return st.Known && st.Position == position }
}

func in(state follower.State, reason string) func(follower.Status) bool {
	return func(st follower.Status) bool { return st.State == state && strings.Contains(st.Reason, reason) }
}

// move sets position and epoch of a source's stream.
func move(s *webtest.Stream, epoch string, position int64, writers map[string]int64) {
	s.Update(func(st *follower.Status) {
		if st.Position != position {
			st.LSN += 8
		}
		st.Epoch, st.Position, st.Writers = epoch, position, writers
	})
}

// pipes is a client whose connections go to listeners by host name.
func pipes(t *testing.T, to map[string]*nettest.Pipes) *http.Client {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		return to[host].Dial(ctx, network, address)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

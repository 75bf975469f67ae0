package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/slots"
	"github.com/tidemark-pg/tidemark/internal/config"
	"github.com/tidemark-pg/tidemark/internal/logging"
	"github.com/tidemark-pg/tidemark/internal/metrics"
	"github.com/tidemark-pg/tidemark/internal/web"
)

// ConfigError is a configuration that cannot be run: trying again is of no use.
type ConfigError struct{ Err error }

// Error is what is wrong with it.
func (e *ConfigError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong with it.
func (e *ConfigError) Unwrap() error { return e.Err }

// daemon is one run.
type daemon struct {
	cfg      *config.Config
	version  string
	log      *slog.Logger
	hold     *logging.Hold
	follower *follower.Follower
	server   *web.Server
	metrics  *metrics.Metrics
	slots    *slots.Watcher
}

// Run runs the daemon until ctx ends, which is an orderly stop: it returns nil,
// and the slot is free. Log lines go to logs. A *ConfigError is about cfg; any
// other error is one of the server's refusals, or an address that cannot be
// listened on.
func Run(ctx context.Context, cfg *config.Config, version string, logs slog.Handler) error {
	d := &daemon{cfg: cfg, version: version, hold: &logging.Hold{}}
	d.log = slog.New(d.hold.Handler(logs))
	if err := d.build(); err != nil {
		return &ConfigError{err}
	}
	ln, err := listen(ctx, cfg.HTTP.Listen)
	if err != nil {
		return err
	}
	return d.run(ctx, ln)
}

// build makes the parts and introduces them to each other.
func (d *daemon) build() (err error) {
	fc := d.cfg.Follower
	fc.Logger = d.log
	fc.Published = follower.PublishedConfig(d.cfg.Published)
	fc.Readers, fc.ReaderTimeout = d.cfg.Readers, d.cfg.ReaderTimeout
	if d.cfg.ReaderPolicy == config.ReaderDrop {
		fc.ReaderPolicy = follower.ReaderDrop
	}
	fc.PublishedFunc = func(stream string, delay time.Duration) { d.metrics.Published(stream, delay) }
	if d.follower, err = follower.New(fc); err != nil {
		return err
	}
	source := newSource(d.follower)
	if d.metrics, err = metrics.New(source, d.stats, d.version); err != nil {
		return fmt.Errorf("make metrics: %w", err)
	}
	if err := d.watchSlots(); err != nil {
		return err
	}
	d.server, err = web.New(web.Config{
		Source: source, Metrics: d.metrics.Handler(), Slots: d.reportSlots,
		TokenFile: d.cfg.HTTP.TokenFile, CertFile: d.cfg.HTTP.TLS.CertFile, KeyFile: d.cfg.HTTP.TLS.KeyFile,
		PublicMetrics:  slices.Contains(d.cfg.HTTP.Public, config.PublicMetrics),
		PublicPage:     slices.Contains(d.cfg.HTTP.Public, config.PublicPage),
		MaxConnections: d.cfg.HTTP.MaxConnections, MaxConnectionsPerClient: d.cfg.HTTP.MaxConnectionsPerClient,
		Logger: d.log,
	})
	if err != nil {
		return fmt.Errorf("configure HTTP: %w: correct http in the configuration", err)
	}
	return nil
}

func (d *daemon) stats() metrics.Stats {
	return metrics.Stats{Stats: d.follower.Stats(), SSEClients: d.server.SSEClients()}
}

// listen opens the address before anything else is begun, so that two daemons
// by mistake are told apart from two by intent.
func listen(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		return ln, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen on %s: the address is in use: stop the other process, or choose another http.listen", address)
	}
	return nil, fmt.Errorf("listen on %s: %w: choose another http.listen", address, err)
}

// run runs the parts until ctx ends or one of them fails.
func (d *daemon) run(ctx context.Context, ln net.Listener) error {
	d.log.Info("starting", "version", d.version, "listen", ln.Addr().String(),
		"streams", d.names(), "config", d.cfg)
	group, parts := errgroup.WithContext(ctx)
	group.Go(func() error { return d.server.Serve(parts, ln) })
	group.Go(func() error {
		if err := d.follower.Run(parts); err != nil {
			return fmt.Errorf("follow: %w", err)
		}
		return nil
	})
	group.Go(func() error { d.slots.Run(parts); return nil })
	group.Go(func() error { d.open(parts); return nil })
	if err := group.Wait(); err != nil {
		d.hold.Drop()
		return err
	}
	d.log.Info("stopped")
	d.hold.Release()
	return nil
}

func (d *daemon) names() []string {
	var names []string
	for _, s := range d.follower.Streams() {
		names = append(names, s.Name())
	}
	return names
}

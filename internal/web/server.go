package web

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// DefaultMaxConnections is Config.MaxConnections where it is 0.
	DefaultMaxConnections = 20000

	readTimeout = 10 * time.Second // for a request's header, and for a body
	idleTimeout = 2 * time.Minute
	stopTimeout = 3 * time.Second
	maxHeader   = 16 << 10
	maxURL      = 8 << 10
)

// Config configures a Server. New checks it and keeps a copy.
type Config struct {
	// Source is what to show; required.
	Source Source

	// Slots answers /v1/slots; nil: 503.
	Slots SlotsFunc

	// Metrics answers /metrics; nil: 503.
	Metrics http.Handler

	// TokenFile holds the bearer token; empty: everybody is let in.
	TokenFile string

	// PublicMetrics and PublicPage let everybody see /metrics, and the page with
	// what it reads: /v1/streams, /v1/events and /v1/slots.
	PublicMetrics, PublicPage bool

	// CertFile and KeyFile (PEM) turn on TLS; both or neither. These files and
	// TokenFile are read again when they change.
	CertFile, KeyFile string

	// MaxConnections is how many connections may be open; those beyond are
	// closed at once. 0 means DefaultMaxConnections.
	MaxConnections int

	// MaxConnectionsPerClient is how many of them one address may have, and so
	// how many waits and event streams. 0: as many as there are.
	MaxConnectionsPerClient int

	// Logger takes what an operator acts on; nil discards.
	Logger *slog.Logger
}

// Server answers HTTP requests about a Source. A Server serves once.
type Server struct {
	source         Source
	slotsFunc      SlotsFunc
	metricsHandler http.Handler
	seats          *seats
	logger         *slog.Logger

	public      map[string]bool             // paths that need no token
	access      *access                     // nil: everybody is let in
	certificate *reloaded[*tls.Certificate] // nil: no TLS
	crossOrigin *http.CrossOriginProtection
	pages       *pages
	hub         *hub

	stopping context.Context // ends when the server begins to stop
	stop     context.CancelFunc
	requests requests
}

// New returns a Server for cfg, or an error that names what is wrong with it:
// a file that cannot be read, or half a key pair.
func New(cfg Config) (*Server, error) {
	s := &Server{
		source:         cfg.Source,
		slotsFunc:      cfg.Slots,
		metricsHandler: cfg.Metrics,
		logger:         cfg.Logger,
		crossOrigin:    http.NewCrossOriginProtection(),
		public:         publicPaths(cfg),
	}
	if s.source == nil {
		return nil, errors.New("web: Config.Source is nil")
	}
	if cfg.MaxConnections < 0 || cfg.MaxConnectionsPerClient < 0 {
		return nil, fmt.Errorf("web: Config.MaxConnections is %d, MaxConnectionsPerClient %d", cfg.MaxConnections, cfg.MaxConnectionsPerClient)
	}
	s.seats = newSeats(cmp.Or(cfg.MaxConnections, DefaultMaxConnections), cfg.MaxConnectionsPerClient)
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	if err := s.readFiles(cfg); err != nil {
		return nil, err
	}
	s.hub = newHub(s.source.Streams())
	s.stopping, s.stop = context.WithCancel(context.Background())
	return s, nil
}

func (s *Server) readFiles(cfg Config) (err error) {
	if s.access, err = newAccess(cfg.TokenFile, s.logger); err != nil {
		return err
	}
	if s.certificate, err = newCertificate(cfg.CertFile, cfg.KeyFile, s.logger); err != nil {
		return err
	}
	s.pages, err = newPages(s.access != nil && !cfg.PublicPage)
	return err
}

// SSEClients is how many event streams are open now.
func (s *Server) SSEClients() int { return int(s.hub.clients.Load()) }

// Serve answers on ln, which it closes, until ctx ends, and then stops in good
// order: event streams end, waits answer at once, requests under way have a few
// seconds. When it returns no request is being answered any more. The result is
// nil after an orderly stop, else what went wrong with ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	srv := s.httpServer()
	var running sync.WaitGroup
	running.Go(func() { s.hub.run(s.stopping) })
	defer running.Wait()
	defer s.stop()

	failed := make(chan error, 1)
	running.Go(func() { failed <- srv.Serve(s.listener(ln)) })
	select {
	case err := <-failed:
		s.stop()
		return errors.Join(fmt.Errorf("serving HTTP: %w", err), s.shutDown(srv))
	case <-ctx.Done():
		s.stop()
		return s.shutDown(srv)
	}
}

// shutDown closes what is still open after stopTimeout.
func (s *Server) shutDown(srv *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err := srv.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close() // clients that do not take their answer
	}
	s.requests.finish()
	if err != nil {
		return fmt.Errorf("stopping HTTP: %w", err)
	}
	return nil
}

func (s *Server) isStopping() bool { return s.stopping.Err() != nil }

func (s *Server) listener(ln net.Listener) net.Listener {
	ln = newBoundedListener(ln, s.seats, s.logger)
	if s.certificate == nil {
		return ln
	}
	return tls.NewListener(ln, tlsConfig(s.certificate))
}

// httpServer has no WriteTimeout: every answer sets its own deadline.
func (s *Server) httpServer() *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:                      s,
		Protocols:                    protocols,
		ReadHeaderTimeout:            readTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeader,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
	}
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.requests.begin() {
		return // the connection is closed already
	}
	defer s.requests.end()
	s.setDeadlines(w, r)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	if len(r.RequestURI) > maxURL {
		writeProblem(w, r, problem{Status: http.StatusRequestURITooLong, Detail: fmt.Sprintf("a URL may have %d bytes", maxURL)})
		return
	}
	e := s.endpoint(requestPath(r))
	if !s.lets(r, e) {
		s.refuse(w, r)
		return
	}
	dispatch(w, r, e)
}

// setDeadlines gives the client writeTimeout to take the answer and, where the
// request has a body, readTimeout to send it.
func (s *Server) setDeadlines(w http.ResponseWriter, r *http.Request) {
	s.extendDeadline(w)
	if r.ContentLength == 0 {
		return
	}
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTimeout)); err != nil {
		s.logger.Debug("no read deadline", "error", err)
	}
}

// extendDeadline gives the client writeTimeout from now to take the answer.
func (s *Server) extendDeadline(w http.ResponseWriter) {
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		s.logger.Debug("no write deadline", "error", err)
	}
}

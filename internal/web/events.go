package web

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	heartbeatEvery = 15 * time.Second
	// writeTimeout is how long a client may take for one answer or event.
	writeTimeout = 30 * time.Second
	// deadlineEvery is how old a write deadline may be when an event is
	// written: setting one costs a tenth of what writing the event does, and ten
	// thousand clients are written to fifty thousand times a second.
	deadlineEvery = 5 * time.Second
)

func (s *Server) streamEvents(w http.ResponseWriter, r *http.Request, st Stream) {
	s.serveEvents(w, r, s.topicsOf([]string{st.Name()}))
}

func (s *Server) allEvents(w http.ResponseWriter, r *http.Request) {
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
		badParameter(w, r, fmt.Sprintf("reading the query: %v", err))
		return
	}
	raw := rawValues(r.URL.RawQuery, "streams")
	if raw == nil {
		s.serveEvents(w, r, s.hub.topics)
		return
	}
	names, unknown, ok := s.splitNames(raw)
	switch {
	case !ok && unknown == "":
		badParameter(w, r, "streams holds an empty name")
	case !ok:
		unknownStream(w, r, unknown)
	default:
		s.serveEvents(w, r, s.topicsOf(names))
	}
}

func (s *Server) topicsOf(names []string) []*topic {
	var topics []*topic
	for _, t := range s.hub.topics {
		if slices.Contains(names, t.stream.Name()) {
			topics = append(topics, t)
		}
	}
	return topics
}

// rawValues returns the values of a query parameter as they were written.
func rawValues(rawQuery, name string) []string {
	var values []string
	for pair := range strings.SplitSeq(rawQuery, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if key, err := url.QueryUnescape(key); err == nil && key == name {
			values = append(values, value)
		}
	}
	return values
}

// splitNames reads streams=a,b. A name may hold a comma, written %2C, but
// browsers also write the separating comma so: a piece that names no stream is
// split again after decoding.
func (s *Server) splitNames(raw []string) (names []string, unknown string, ok bool) {
	for piece := range strings.SplitSeq(strings.Join(raw, ","), ",") {
		name, err := url.QueryUnescape(piece)
		if err != nil {
			return nil, piece, false
		}
		if _, found := s.source.Stream(name); found {
			names = append(names, name)
			continue
		}
		for part := range strings.SplitSeq(name, ",") {
			if _, found := s.source.Stream(part); !found {
				return nil, part, false
			}
			names = append(names, part)
		}
	}
	return names, "", true
}

// serveEvents sends the present state, then every move, until the client goes
// or the server stops. Last-Event-ID is not looked at: a position needs no
// history.
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request, topics []*topic) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	if r.Method == http.MethodHead {
		return
	}
	l := s.hub.listen(topics)
	defer l.close()
	out := &eventWriter{w: w, rc: http.NewResponseController(w)}
	out.begin()
	// Clients come back spread over two seconds, not all at once.
	out.write(fmt.Appendf(nil, ": tidemark\nretry: %d\n\n", 1000+rand.IntN(2000)))
	s.sendEvents(r, l, out)
}

func (s *Server) sendEvents(r *http.Request, l *listener, out *eventWriter) {
	heartbeat := time.NewTicker(heartbeatEvery)
	defer heartbeat.Stop()
	for {
		l.take(out.write)
		if out.flush() != nil {
			return // cut, or gone
		}
		select {
		case <-s.stopping.Done():
			return
		case <-r.Context().Done():
			return
		case <-l.wake:
			out.begin()
		case <-heartbeat.C:
			out.begin()
			out.write([]byte(": heartbeat\n\n"))
		}
	}
}

// eventWriter writes to one client and remembers the first error. All that is
// written between begin and flush has writeTimeout to be taken, or up to
// deadlineEvery less.
type eventWriter struct {
	w   http.ResponseWriter
	rc  *http.ResponseController
	set time.Time // when the deadline was
	err error
}

func (e *eventWriter) begin() {
	now := time.Now()
	if now.Sub(e.set) < deadlineEvery {
		return
	}
	e.set = now
	if err := e.rc.SetWriteDeadline(now.Add(writeTimeout)); err != nil && e.err == nil {
		e.err = err
	}
}

func (e *eventWriter) write(b []byte) {
	if e.err == nil {
		_, e.err = e.w.Write(b)
	}
}

func (e *eventWriter) flush() error {
	if e.err == nil {
		e.err = e.rc.Flush()
	}
	return e.err
}

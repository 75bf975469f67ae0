package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// endpoint is what one path does. A nil serve is a path that does not exist.
type endpoint struct {
	serve   http.HandlerFunc
	methods []string
	open    bool // needs no token
}

func reading() []string { return []string{http.MethodGet, http.MethodHead} }

func get(serve http.HandlerFunc) endpoint { return endpoint{serve: serve, methods: reading()} }

// endpoint finds what serves a percent-encoded path. net/http's own mux would
// clean the path, and a stream may be called "..".
func (s *Server) endpoint(path string) endpoint {
	segments, ok := splitPath(path)
	switch {
	case !ok:
		return endpoint{}
	case len(segments) == 1:
		return s.topEndpoint(segments[0])
	case segments[0] != "v1":
		return endpoint{}
	case len(segments) == 2:
		return s.listEndpoint(segments[1])
	case segments[1] == "streams" && segments[2] != "":
		return s.streamEndpoint(segments[2], segments[3:])
	}
	return endpoint{}
}

func (s *Server) topEndpoint(name string) endpoint {
	switch name {
	case "":
		return get(s.page)
	case "metrics":
		return get(s.metrics)
	case "healthz":
		return endpoint{serve: s.healthz, methods: reading(), open: true}
	case "readyz":
		return endpoint{serve: s.readyz, methods: reading(), open: true}
	}
	if s.access != nil {
		return s.sessionEndpoint(name)
	}
	return endpoint{}
}

func (s *Server) sessionEndpoint(name string) endpoint {
	switch name {
	case "login":
		return endpoint{serve: s.login, methods: append(reading(), http.MethodPost), open: true}
	case "logout":
		return endpoint{serve: s.logout, methods: []string{http.MethodPost}, open: true}
	}
	return endpoint{}
}

func (s *Server) listEndpoint(name string) endpoint {
	switch name {
	case "streams":
		return get(s.streams)
	case "events":
		return get(s.allEvents)
	case "slots":
		return get(s.slots)
	}
	return endpoint{}
}

func (s *Server) streamEndpoint(name string, rest []string) endpoint {
	switch {
	case len(rest) == 0:
		return get(s.named(name, s.stream))
	case len(rest) == 1 && rest[0] == "wait":
		return get(s.named(name, s.wait))
	case len(rest) == 1 && rest[0] == "events":
		return get(s.named(name, s.streamEvents))
	}
	return endpoint{}
}

// named looks the stream up once the request has been let in.
func (s *Server) named(name string, serve func(http.ResponseWriter, *http.Request, Stream)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		st, ok := s.source.Stream(name)
		if !ok {
			unknownStream(w, r, name)
			return
		}
		serve(w, r, st)
	}
}

func unknownStream(w http.ResponseWriter, r *http.Request, name string) {
	writeProblem(w, r, problem{Status: http.StatusNotFound, Detail: fmt.Sprintf("there is no stream %q", name)})
}

// splitPath splits before it decodes, so that an encoded slash stays part of a name.
func splitPath(path string) (segments []string, ok bool) {
	path, ok = strings.CutPrefix(path, "/")
	if !ok {
		return nil, false
	}
	segments = strings.Split(path, "/")
	for i, s := range segments {
		decoded, err := url.PathUnescape(s)
		if err != nil {
			return nil, false
		}
		segments[i] = decoded
	}
	return segments, true
}

// dispatch answers a request that has been let in.
func dispatch(w http.ResponseWriter, r *http.Request, e endpoint) {
	switch {
	case e.serve == nil:
		writeProblem(w, r, problem{Status: http.StatusNotFound, Detail: "there is nothing at this path"})
	case !slices.Contains(e.methods, r.Method):
		w.Header().Set("Allow", strings.Join(e.methods, ", "))
		writeProblem(w, r, problem{
			Status: http.StatusMethodNotAllowed,
			Detail: fmt.Sprintf("%s is not allowed here, only %s", r.Method, strings.Join(e.methods, ", ")),
		})
	case r.ContentLength != 0 && r.Method != http.MethodPost:
		w.Header().Set("Connection", "close")
		writeProblem(w, r, problem{Status: http.StatusRequestEntityTooLarge, Detail: "a request here has no body"})
	default:
		e.serve(w, r)
	}
}

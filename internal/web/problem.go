package web

import (
	"net/http"
	"strings"
)

// problem is an error answer (RFC 9457) with the members that Tidemark adds.
// Type and Title follow from Status: the status says all there is to tell apart.
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Instance string `json:"instance"`

	// Stream is the stream as it is now, where the error is about its epoch
	// or cuts short a wait.
	Stream *streamAnswer `json:"stream,omitempty"`
	// Reached is false where a wait was cut short.
	Reached *bool `json:"reached,omitempty"`
}

func writeProblem(w http.ResponseWriter, r *http.Request, p problem) {
	p.Type = "about:blank"
	p.Title = http.StatusText(p.Status)
	p.Instance = requestPath(r)
	writeJSON(w, r, p.Status, "application/problem+json", p)
}

func badParameter(w http.ResponseWriter, r *http.Request, detail string) {
	writeProblem(w, r, problem{Status: http.StatusBadRequest, Detail: detail})
}

func unavailable(w http.ResponseWriter, r *http.Request, detail string) {
	w.Header().Set("Retry-After", "1")
	writeProblem(w, r, problem{Status: http.StatusServiceUnavailable, Detail: detail})
}

// requestPath is the path as the client wrote it, still percent-encoded. Go's
// URL.EscapedPath may encode it anew, and then %2F and / can no longer be told
// apart.
func requestPath(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		return path
	}
	return r.URL.EscapedPath()
}

package web

import (
	"fmt"
	"io"
	"net/http"
)

func (s *Server) streams(w http.ResponseWriter, r *http.Request) {
	answer := struct {
		Streams []*streamAnswer `json:"streams"`
	}{Streams: []*streamAnswer{}}
	for _, st := range s.source.Streams() {
		answer.Streams = append(answer.Streams, newStreamAnswer(st.Status()))
	}
	writeOK(w, r, answer)
}

func (s *Server) stream(w http.ResponseWriter, r *http.Request, st Stream) {
	writeOK(w, r, newStreamAnswer(st.Status()))
}

func (s *Server) slots(w http.ResponseWriter, r *http.Request) {
	if s.slotsFunc == nil {
		unavailable(w, r, "slot monitoring is not available")
		return
	}
	slots, err := s.slotsFunc(r.Context())
	if err != nil {
		unavailable(w, r, fmt.Sprintf("reading the slots: %v", err))
		return
	}
	writeOK(w, r, map[string]any{"slots": slots})
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	if s.metricsHandler == nil {
		unavailable(w, r, "metrics are not available")
		return
	}
	s.metricsHandler.ServeHTTP(w, r)
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) { writeText(w, "ok\n") }

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if s.isStopping() {
		unavailable(w, r, stoppingDetail)
		return
	}
	if ok, why := s.source.Ready(); !ok {
		unavailable(w, r, why)
		return
	}
	writeText(w, "ok\n")
}

func writeText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, text) // an error means that the client has gone
}

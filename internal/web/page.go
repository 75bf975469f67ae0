package web

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tidemark-pg/tidemark/follower"
)

//go:embed page.html
var pageText string

// pageRow is one stream as the page shows it.
type pageRow struct {
	Path, Name, Reason, Position string
	State                        follower.State
}

func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	var rows []pageRow
	for _, st := range s.source.Streams() {
		rows = append(rows, newPageRow(st.Status()))
	}
	s.writeHTML(w, r, http.StatusOK, "page", rows)
}

func newPageRow(st follower.Status) pageRow {
	row := pageRow{Path: url.PathEscape(st.Name), Name: st.Name, State: st.State, Reason: st.Reason, Position: "unknown"}
	if st.Known {
		row.Position = strconv.FormatInt(st.Position, 10)
	}
	return row
}

func (s *Server) loginForm(w http.ResponseWriter, r *http.Request, status int, alert string) {
	s.writeHTML(w, r, status, "login", alert)
}

func (s *Server) writeHTML(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var b bytes.Buffer
	if err := s.pages.ExecuteTemplate(&b, name, data); err != nil {
		writeProblem(w, r, problem{Status: http.StatusInternalServerError, Detail: "the page could not be made"})
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy",
		"default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // an error means that the client has gone
}

func parsePages() (*template.Template, error) { return template.New("").Parse(pageText) }

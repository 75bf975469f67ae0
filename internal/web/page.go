package web

import (
	"bytes"
	"html/template"
	"io"
	"net/http"
	"strings"
)

// signOut is the part of the page that ends a session.
const signOut = `<form method="post" action="logout"><button>Sign out</button></form>` + "\n"

// pages are what a browser shows.
type pages struct {
	live        *document
	login       *template.Template
	loginPolicy string
}

// newPages has the page offer to sign out where sessions is true.
func newPages(sessions bool) (*pages, error) {
	login, err := template.New("login").Parse(loginHTML)
	if err != nil {
		return nil, err
	}
	html := pageHTML
	if !sessions {
		html = strings.Replace(html, signOut, "", 1)
	}
	return &pages{live: newDocument(html, pageStyle, pageScript), login: login, loginPolicy: policy(pageStyle)}, nil
}

func (s *Server) page(w http.ResponseWriter, r *http.Request) { s.pages.live.serve(w, r) }

func (s *Server) loginForm(w http.ResponseWriter, r *http.Request, status int, alert string) {
	var b bytes.Buffer
	if err := s.pages.login.Execute(&b, alert); err != nil {
		writeProblem(w, r, problem{Status: http.StatusInternalServerError, Detail: "the form could not be made"})
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", s.pages.loginPolicy)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, withStyle(b.String(), pageStyle)) // an error means that the client has gone
}

package web

import (
	"net/http"
	"time"
)

const maxLoginBody = 4 << 10

// login shows the form, or takes the token from it and sets the cookie.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		s.loginForm(w, r, http.StatusOK, "")
		return
	}
	if s.fromElsewhere(w, r) {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxLoginBody)
	if err := r.ParseForm(); err != nil {
		badParameter(w, r, "the form could not be read")
		return
	}
	token := s.access.token.get()
	if !equal(r.PostForm.Get("token"), token) {
		s.loginForm(w, r, http.StatusUnauthorized, "That is not the token.")
		return
	}
	toPage(w, r, newSession(token, time.Now()), sessionLifetime)
}

// logout takes the cookie away from this browser. The sessions of others end
// with the token.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	if !s.fromElsewhere(w, r) {
		toPage(w, r, "", -time.Second)
	}
}

// fromElsewhere refuses a form of another site.
func (s *Server) fromElsewhere(w http.ResponseWriter, r *http.Request) bool {
	err := s.crossOrigin.Check(r)
	if err != nil {
		writeProblem(w, r, problem{Status: http.StatusForbidden, Detail: "the form was sent from another site"})
	}
	return err != nil
}

// toPage sets the cookie, for so long, and leads to the page. Neither has a
// path of its own, so they hold below the prefix of a proxy too: a cookie
// without one is for the folder of the form.
func toPage(w http.ResponseWriter, r *http.Request, session string, lifetime time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name:     sessionCookie,
		Value:    session,
		MaxAge:   int(lifetime / time.Second),
		HttpOnly: true,
		Secure:   r.TLS != nil,
		SameSite: http.SameSiteStrictMode,
	})
	w.Header().Set("Location", "./")
	w.WriteHeader(http.StatusSeeOther)
}

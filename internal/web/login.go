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
	if err := s.crossOrigin.Check(r); err != nil {
		writeProblem(w, r, problem{Status: http.StatusForbidden, Detail: "the form was sent from another site"})
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
	http.SetCookie(w, &http.Cookie{
		Name:     sessionCookie,
		Value:    newSession(token, time.Now()),
		Path:     "/",
		MaxAge:   int(sessionLifetime / time.Second),
		HttpOnly: true,
		Secure:   r.TLS != nil,
		SameSite: http.SameSiteStrictMode,
	})
	w.Header().Set("Location", "/")
	w.WriteHeader(http.StatusSeeOther)
}

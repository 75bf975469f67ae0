package web_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-pg/tidemark/internal/nettest"
	"github.com/tidemark-pg/tidemark/internal/web"
)

const secret = "s3cret-token"

func tokenFile(t *testing.T, token string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(name, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestEverythingNeedsTheToken(t *testing.T) {
	s := open(t, web.Config{TokenFile: tokenFile(t, secret+"\n")}, "events")
	for _, path := range []string{"/", "/v1/streams", "/v1/streams/events", "/v1/streams/none", "/v1/events", "/v1/slots", "/metrics", "/nothing", "/healthz/x"} {
		for _, method := range []string{"GET", "POST"} {
			a := s.do(t, method, path)
			wantProblem(t, a, 401)
			if a.header.Get("WWW-Authenticate") != `Bearer realm="tidemark"` {
				t.Errorf("%s: WWW-Authenticate %q", path, a.header.Get("WWW-Authenticate"))
			}
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if a := s.get(t, path); a.status != 200 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

func TestWhatIsPublicNeedsNoToken(t *testing.T) {
	page := []string{"/", "/v1/streams", "/v1/events"}
	named := []string{"/v1/streams/events", "/v1/streams/events/events", "/v1/streams/events/wait?position=0", "/v1/streams/", "/nothing"}
	for _, c := range []struct {
		cfg          web.Config
		open, closed []string
	}{
		{web.Config{PublicMetrics: true}, []string{"/metrics"}, append(named, page...)},
		{web.Config{PublicPage: true}, page, append(named, "/metrics")},
		{web.Config{PublicMetrics: true, PublicPage: true}, append(page, "/metrics"), named},
	} {
		c.cfg.TokenFile = tokenFile(t, secret)
		c.cfg.Metrics = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		s := open(t, c.cfg, "events")
		for _, path := range c.open {
			if a := s.do(t, "HEAD", path); a.status != 200 {
				t.Errorf("%+v: %s: %d", c.cfg, path, a.status)
			}
		}
		for _, path := range c.closed {
			wantProblem(t, s.get(t, path), 401)
		}
	}
}

func TestBearerToken(t *testing.T) {
	s := open(t, web.Config{TokenFile: tokenFile(t, secret)}, "events")
	for value, status := range map[string]int{
		"Bearer " + secret:       200,
		"bearer  " + secret:      200,
		"Bearer " + secret + "x": 401,
		"Bearer " + secret[:5]:   401,
		"Bearer ":                401,
		"Basic " + secret:        401,
		secret:                   401,
	} {
		a := s.do(t, "GET", "/v1/streams", header("Authorization", value))
		if a.status != status {
			t.Errorf("%q: %d", value, a.status)
		}
		if strings.Contains(a.body, secret) {
			t.Errorf("the answer shows the token: %s", a.body)
		}
	}
}

// logIn posts the form.
func (s *site) logIn(t *testing.T, token string, change ...func(*http.Request)) answer {
	t.Helper()
	return s.post(t, "/login", "token="+token, change...)
}

// post posts a form.
func (s *site) post(t *testing.T, path, body string, change ...func(*http.Request)) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range change {
		c(r)
	}
	res, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{status: res.StatusCode, header: res.Header, body: string(text)}
}

func TestLogin(t *testing.T) {
	s := open(t, web.Config{TokenFile: tokenFile(t, secret)}, "events")
	form := s.do(t, "GET", "/", header("Accept", "text/html"))
	if form.status != 401 || !strings.Contains(form.body, `action="login"`) {
		t.Errorf("a browser gets %d %s", form.status, form.body)
	}
	if a := s.logIn(t, "wrong"); a.status != 401 || a.header.Get("Set-Cookie") != "" {
		t.Errorf("wrong token: %d %v", a.status, a.header)
	}
	if a := s.logIn(t, secret, header("Sec-Fetch-Site", "cross-site")); a.status != 403 {
		t.Errorf("from another site: %d", a.status)
	}
	if a := s.logIn(t, strings.Repeat("x", 5<<10)); a.status != 400 {
		t.Errorf("long body: %d", a.status)
	}
	a := s.logIn(t, secret)
	if a.status != 303 || a.header.Get("Location") != "./" {
		t.Fatalf("right token: %d %v", a.status, a.header)
	}
	// Without a path it goes where the form was: a proxy may add a prefix.
	cookie, err := http.ParseSetCookie(a.header.Get("Set-Cookie"))
	if err != nil || cookie.Path != "" || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || strings.Contains(cookie.Value, secret) {
		t.Fatalf("cookie %v, %v", cookie, err)
	}
	for value, status := range map[string]int{
		cookie.Value:       200,
		"9" + cookie.Value: 401, // a later end
		cookie.Value + "x": 401,
		secret:             401,
		"":                 401,
	} {
		if a := s.do(t, "GET", "/v1/streams", header("Cookie", cookie.Name+"="+value)); a.status != status {
			t.Errorf("cookie %q: %d, want %d", value, a.status, status)
		}
	}
	if a := s.do(t, "GET", "/", header("Cookie", cookie.Name+"="+cookie.Value)); a.status != 200 {
		t.Errorf("page: %d", a.status)
	}
}

func TestSignOut(t *testing.T) {
	s := open(t, web.Config{TokenFile: tokenFile(t, secret)}, "events")
	page := s.do(t, "GET", "/", header("Authorization", "Bearer "+secret))
	if !strings.Contains(page.body, `action="logout"`) {
		t.Error("the page has nothing to sign out with")
	}
	if a := s.post(t, "/logout", "", header("Sec-Fetch-Site", "cross-site")); a.status != 403 || a.header.Get("Set-Cookie") != "" {
		t.Errorf("from another site: %d %v", a.status, a.header)
	}
	if a := s.get(t, "/logout"); a.status != 405 || a.header.Get("Allow") != "POST" {
		t.Errorf("a link signs out: %d %v", a.status, a.header)
	}
	a := s.post(t, "/logout", "")
	cookie, err := http.ParseSetCookie(a.header.Get("Set-Cookie"))
	if a.status != 303 || a.header.Get("Location") != "./" || err != nil || cookie.MaxAge >= 0 || cookie.Value != "" {
		t.Errorf("%d %v, %v", a.status, a.header, err)
	}
}

// Where no session is needed there is nothing to sign out of.
func TestNoSignOutWithoutSessions(t *testing.T) {
	for _, cfg := range []web.Config{{}, {TokenFile: tokenFile(t, secret), PublicPage: true}} {
		if page := open(t, cfg, "events").get(t, "/"); page.status != 200 || strings.Contains(page.body, "logout") {
			t.Errorf("%+v: %d, the page says sign out", cfg, page.status)
		}
	}
	wantProblem(t, open(t, web.Config{}, "events").post(t, "/logout", ""), 404)
}

func TestSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := nettest.NewPipes()
		s := openOn(t, web.Config{TokenFile: tokenFile(t, secret)}, ln, &http.Transport{DialContext: ln.Dial}, "events")
		cookie := strings.Split(s.logIn(t, secret).header.Get("Set-Cookie"), ";")[0]
		for _, step := range []struct {
			after  time.Duration
			status int
		}{{29 * 24 * time.Hour, 200}, {2 * 24 * time.Hour, 401}} {
			time.Sleep(step.after)
			if a := s.do(t, "GET", "/v1/streams", header("Cookie", cookie)); a.status != step.status {
				t.Errorf("%s later: %d", step.after, a.status)
			}
		}
	})
}

// Within a bubble, so that the second between two looks passes at once.
func TestTokenIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln, file := nettest.NewPipes(), tokenFile(t, secret)
		s := openOn(t, web.Config{TokenFile: file}, ln, &http.Transport{DialContext: ln.Dial}, "events")
		status := func(token string) int {
			time.Sleep(2 * time.Second)
			return s.do(t, "GET", "/v1/streams", header("Authorization", "Bearer "+token)).status
		}
		cookie := strings.Split(s.logIn(t, secret).header.Get("Set-Cookie"), ";")[0]
		for _, step := range []struct {
			contents, token string
			status          int
		}{
			{"another-one", "another-one", 200},
			{"another-one", secret, 401},
			{"  ", "another-one", 200}, // cannot be meant: the old one stays
			{"a third token", "another-one", 200},
		} {
			if err := os.WriteFile(file, []byte(step.contents), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := status(step.token); got != step.status {
				t.Errorf("file %q, token %q: %d", step.contents, step.token, got)
			}
		}
		if a := s.do(t, "GET", "/v1/streams", header("Cookie", cookie)); a.status != 401 {
			t.Errorf("a session of the old token: %d", a.status)
		}
	})
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	source := open(t, web.Config{}, "events").source
	for name, cfg := range map[string]web.Config{
		"no source":             {},
		"no file":               {Source: source, TokenFile: filepath.Join(t.TempDir(), "none")},
		"empty token":           {Source: source, TokenFile: tokenFile(t, " \n")},
		"two words":             {Source: source, TokenFile: tokenFile(t, secret+" "+secret)},
		"half a pair":           {Source: source, CertFile: "cert.pem"},
		"no pair":               {Source: source, CertFile: tokenFile(t, "x"), KeyFile: tokenFile(t, "x")},
		"negative max":          {Source: source, MaxConnections: -1},
		"negative for a client": {Source: source, MaxConnectionsPerClient: -1},
	} {
		_, err := web.New(cfg)
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error shows the token: %v", name, err)
		}
	}
}

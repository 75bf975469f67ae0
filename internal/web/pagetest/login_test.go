package pagetest

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const token = "s3cret-token"

// tokenSite starts a daemon that wants the token, but for what is public.
func tokenSite(t *testing.T, public string) *site {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	return ownSite(t, fmt.Sprintf("{listen: '127.0.0.1:0', token_file: '%s', public: %s}", file, public))
}

// behindProxy is the address of a proxy that serves a site below a path.
func (s *site) behindProxy(prefix string) string {
	s.t.Helper()
	target, err := url.Parse(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, ErrorLog: log.New(io.Discard, "", 0)}
	proxy := httptest.NewServer(http.StripPrefix(prefix, pass))
	s.t.Cleanup(func() { proxy.CloseClientConnections(); proxy.Close() })
	return proxy.URL + prefix
}

// All of it works below a proxy's prefix: what is at the root is somebody else's.
func TestLoginForm(t *testing.T) {
	t.Parallel()
	s := tokenSite(t, "[]")
	b := newTab(t)
	b.open(s.behindProxy("/tide/mark") + "/")
	b.says("label", "Token")
	if found := eval[[]string](b, faint); len(found) > 0 {
		t.Errorf("too little contrast: %q", found)
	}
	b.signIn("wrong")
	b.says("[role=alert]", "That is not the token.")
	b.signIn(token)
	b.says("#link", "Live")
	for _, c := range b.complained() {
		if !strings.Contains(c, "401") { // that the page was refused is so
			t.Errorf("the page complains: %s", c)
		}
	}
	b.cookieIsSafe(token, "/tide/mark")
	if seen := eval[string](b, "document.cookie"); seen != "" {
		t.Errorf("scripts see the cookie %q", seen)
	}
	id := s.insert("keyboard", "billing")
	b.says(row("keyboard")+position, fmt.Sprint(id))
	b.says("#slots", "pgoutput")
	b.do(chromedp.Click("footer button", chromedp.ByQuery))
	b.says("label", "Token")
	b.signIn(token)
	b.says("#link", "Live")
	// A session that is over ends at the form.
	b.do(network.ClearBrowserCookies())
	b.says("label", "Token")
	b.complained()
}

// signIn types the token where the focus is, and sends the form.
func (b *tab) signIn(token string) {
	b.t.Helper()
	b.await("the field has the focus", "document.readyState === 'complete' && document.activeElement.id === 'token'")
	b.do(chromedp.KeyEvent(token))
	b.await("it is typed", fmt.Sprintf("document.activeElement.value === %q", token))
	b.do(chromedp.KeyEvent(kb.Enter))
}

func TestPublicPageNeedsNoForm(t *testing.T) {
	t.Parallel()
	b := tokenSite(t, "[page]").open()
	if status := eval[int](b, "(() => { const r = new XMLHttpRequest(); r.open('GET', '/metrics', false); r.send(); return r.status })()"); status != 401 {
		t.Errorf("/metrics: %d", status)
	}
	b.complained() // of just that
}

// cookieIsSafe looks at the one cookie of the browser.
func (b *tab) cookieIsSafe(token, path string) {
	b.t.Helper()
	var cookies []*network.Cookie
	b.do(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		cookies, err = network.GetCookies().Do(ctx)
		return err
	}))
	if len(cookies) != 1 {
		b.t.Fatalf("%d cookies", len(cookies))
	}
	c := cookies[0]
	if !c.HTTPOnly || c.SameSite != network.CookieSameSiteStrict || c.Path != path || strings.Contains(c.Value, token) {
		b.t.Errorf("cookie %+v", c)
	}
}

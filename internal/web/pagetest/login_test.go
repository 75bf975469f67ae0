package pagetest

import (
	"context"
	"fmt"
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

func TestLoginForm(t *testing.T) {
	t.Parallel()
	s := tokenSite(t, "[]")
	b := newTab(t)
	b.open(s.url)
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
	b.cookieIsSafe(token)
	if seen := eval[string](b, "document.cookie"); seen != "" {
		t.Errorf("scripts see the cookie %q", seen)
	}
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
func (b *tab) cookieIsSafe(token string) {
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
	if !c.HTTPOnly || c.SameSite != network.CookieSameSiteStrict || c.Path != "/" || strings.Contains(c.Value, token) {
		b.t.Errorf("cookie %+v", c)
	}
}

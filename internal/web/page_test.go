package web_test

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/web"
)

// The page is the same whatever the streams are: names never are a part of it.
func TestPageHoldsNoNames(t *testing.T) {
	s := open(t, web.Config{}, `<img src=x onerror=alert(1)>`)
	s.source[0].Update(func(st *follower.Status) { st.Reason, st.State = "<b>why", follower.StateHalted })
	page, other := s.get(t, "/"), open(t, web.Config{}, "events").get(t, "/")
	if page.body != other.body || !strings.HasPrefix(page.body, "<!doctype html>") {
		t.Errorf("the page depends on the streams: %s", page.body)
	}
}

// What the policy allows is what the page has, and nothing else: no other
// script or style, no handler in an attribute, nothing from elsewhere.
func TestPolicyAllowsThePageAlone(t *testing.T) {
	s := open(t, web.Config{TokenFile: tokenFile(t, secret)}, "events")
	for _, a := range []answer{
		s.do(t, "GET", "/", header("Authorization", "Bearer "+secret)),
		s.do(t, "GET", "/", header("Accept", "text/html")),
		s.get(t, "/login"),
	} {
		csp := a.header.Get("Content-Security-Policy")
		for _, directive := range []string{"default-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"} {
			if !strings.Contains(csp, directive) {
				t.Errorf("policy %q lacks %s", csp, directive)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
			t.Errorf("policy %q is not strict", csp)
		}
		inline := regexp.MustCompile(`(?s)<(style|script)([^>]*)>(.*?)</`).FindAllStringSubmatch(a.body, -1)
		if len(inline) != strings.Count(csp, "'sha256-") {
			t.Errorf("%d styles and scripts, policy %q", len(inline), csp)
		}
		for _, m := range inline {
			sum := sha256.Sum256([]byte(m[3]))
			if !strings.Contains(csp, m[1]+"-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") || m[3] == "" {
				t.Errorf("policy %q does not allow the %s %.60q…", csp, m[1], m[3])
			}
		}
		markup := regexp.MustCompile(`(?s)<(style|script).*?</`).ReplaceAllString(a.body, "")
		if bad := regexp.MustCompile(`\s(on\w+|style)=|(src|href|action)="?(https?:)?//`).FindString(markup); bad != "" {
			t.Errorf("the page has %q", bad)
		}
	}
}

// A proxy may serve the daemon below a path of its own: everything that the
// pages name is relative.
func TestPagesNameNothingFromTheRoot(t *testing.T) {
	s := open(t, web.Config{TokenFile: tokenFile(t, secret)}, "events")
	for _, a := range []answer{s.do(t, "GET", "/", header("Authorization", "Bearer "+secret)), s.get(t, "/login")} {
		if found := regexp.MustCompile("[\"'`(]/(v1|metrics|login|logout)?[\"'`/?]").FindAllString(a.body, -1); len(found) > 0 {
			t.Errorf("from the root: %q", found)
		}
	}
}

func TestPageIsKeptUntilItChanges(t *testing.T) {
	s := open(t, web.Config{TokenFile: tokenFile(t, secret)}, "events")
	bearer := header("Authorization", "Bearer "+secret)
	page := s.do(t, "GET", "/", bearer, header("Accept-Encoding", "identity"))
	etag := page.header.Get("ETag")
	if page.status != 200 || etag == "" || page.header.Get("Cache-Control") != "private, no-cache" || page.header.Get("Vary") != "Accept-Encoding" {
		t.Fatalf("%d %v", page.status, page.header)
	}
	if again := s.do(t, "GET", "/", bearer, header("If-None-Match", etag), header("Accept-Encoding", "identity")); again.status != 304 || again.body != "" {
		t.Errorf("the same page: %d", again.status)
	}
	if other := s.do(t, "GET", "/", bearer, header("If-None-Match", `"other"`)); other.status != 200 {
		t.Errorf("another page: %d", other.status)
	}
	if none := s.do(t, "GET", "/", header("If-None-Match", etag), header("Accept", "text/html")); none.status != 401 || none.header.Get("Cache-Control") != "no-store" {
		t.Errorf("without a token: %d %v", none.status, none.header)
	}
	if head := s.do(t, "HEAD", "/", bearer); head.status != 200 || head.body != "" {
		t.Errorf("HEAD: %d", head.status)
	}
}

func TestPageIsSmallOnTheWay(t *testing.T) {
	s := open(t, web.Config{}, "events")
	plain := s.do(t, "GET", "/", header("Accept-Encoding", "gzip;q=0, identity"))
	zipped := s.do(t, "GET", "/", header("Accept-Encoding", "br, gzip"))
	if plain.header.Get("Content-Encoding") != "" || zipped.header.Get("Content-Encoding") != "gzip" || plain.header.Get("ETag") == zipped.header.Get("ETag") {
		t.Fatalf("plain %v, zipped %v", plain.header, zipped.header)
	}
	r, err := gzip.NewReader(strings.NewReader(zipped.body))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(r); err != nil || string(text) != plain.body {
		t.Errorf("zipped is not the same: %v", err)
	}
	if len(zipped.body) > 16<<10 {
		t.Errorf("the page takes %d bytes", len(zipped.body))
	}
	t.Logf("%d bytes, %d zipped", len(plain.body), len(zipped.body))
}

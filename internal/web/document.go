package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

// The parts of the page. They make one document: it is there with one request,
// and its parts are never of two versions.
var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageStyle string
	//go:embed page.js
	pageScript string
	//go:embed login.html
	loginHTML string
)

const (
	styleTag  = "<style></style>"
	scriptTag = `<script type="module"></script>`
)

// document is a page that is the same for everybody: what moves is asked for by
// its script.
type document struct {
	plain, zipped []byte
	etag          string // of plain, without quotes
	policy        string
}

// newDocument puts style and script where the page has empty tags.
func newDocument(html, style, script string) *document {
	html = withStyle(html, style)
	html = strings.Replace(html, scriptTag, `<script type="module">`+script+"</script>", 1)
	plain := []byte(html)
	return &document{
		plain: plain, zipped: zip(plain), etag: digest(html)[:22],
		policy: policy(style) + "; script-src 'sha256-" + digest(script) + "'; connect-src 'self'" +
			"; require-trusted-types-for 'script'; trusted-types 'none'",
	}
}

// withStyle is not for a template to do, which would change the text that the
// policy allows.
func withStyle(html, style string) string {
	return strings.Replace(html, styleTag, "<style>"+style+"</style>", 1)
}

// policy allows one style and a form, and that images are part of the page. No
// script, and nothing from anywhere else.
func policy(style string) string {
	return "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; img-src data:" +
		"; style-src 'sha256-" + digest(style) + "'"
}

// digest is what a policy calls a text that it allows.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func zip(plain []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b) // into memory: nothing can fail
	_, _ = w.Write(plain)
	_ = w.Close()
	return b.Bytes()
}

// serve answers with the document, or that the browser has it already. It is
// asked for each time, so that a session that is over gets the login form.
func (d *document) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", d.policy)
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Vary", "Accept-Encoding")
	body, etag := d.plain, d.etag
	if takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body, etag = d.zipped, d.etag+"-gzip"
	}
	h.Set("ETag", `"`+etag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// takesGzip is for browsers, which ask for it plainly; who gives it a weight
// gets the plain text.
func takesGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			return true
		}
	}
	return false
}

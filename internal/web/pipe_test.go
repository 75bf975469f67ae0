package web_test

import (
	"net/http"
	"testing"

	"github.com/tidemark-pg/tidemark/internal/nettest"
	"github.com/tidemark-pg/tidemark/internal/web"
)

// openPipe serves inside a bubble.
func openPipe(t *testing.T, streams ...string) *site {
	t.Helper()
	ln := nettest.NewPipes()
	return openOn(t, web.Config{}, ln, &http.Transport{DialContext: ln.Dial}, streams...)
}

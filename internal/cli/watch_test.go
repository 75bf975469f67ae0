package cli

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidemark-pg/tidemark/internal/client"
	"github.com/tidemark-pg/tidemark/internal/web"
	"github.com/tidemark-pg/tidemark/internal/web/webtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// screen passes on what is drawn.
type display chan string

func (s display) Write(b []byte) (int, error) { s <- string(b); return len(b), nil }

// await reads the screen until it shows the text.
func (s display) await(t *testing.T, text string) {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case shown := <-s:
			if strings.Contains(shown, text) {
				return
			}
		case <-late:
			t.Fatalf("the screen never shows %q", text)
		}
	}
}

func TestPictureFollowsMovesAndADaemonThatGoes(t *testing.T) {
	source := webtest.NewSource("events")
	s, err := web.New(web.Config{Source: source})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serving, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(serving, ln) }()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	c, err := client.New("http://"+ln.Addr().String(), "")
	if err != nil {
		t.Fatal(err)
	}
	shown := make(display)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- newScreen(c, shown).run(ctx) }()
	shown.await(t, "\x1b[2J")
	shown.await(t, "events  following  0 ")
	source[0].Move(1234)
	shown.await(t, "events  following  1234 ")
	stop()
	shown.await(t, "no daemon answers")
	if err := <-served; err != nil {
		t.Error(err)
	}
	cancel()
	for done := false; !done; {
		select {
		case <-shown:
		case err := <-ended:
			done = true
			if !errors.Is(err, context.Canceled) {
				t.Errorf("ended with %v", err)
			}
		}
	}
}

package remote_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/remote"
	"github.com/tidemark-pg/tidemark/internal/web"
	"github.com/tidemark-pg/tidemark/internal/web/webtest"
)

func TestStatusIsTheDaemons(t *testing.T) {
	source, pid := webtest.NewSource("events"), int32(77)
	checked := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	source[0].Update(func(st *follower.Status) {
		st.Position, st.LSN, st.Epoch, st.Writers = 41, 0x16B3748, "7/1/0/9.1", map[string]int64{"": 40, "a": 41}
		st.AllocatedKnown, st.Allocated, st.LateRows = true, 44, 3
		st.HeldBy, st.CheckedAt = []follower.Holder{{PID: &pid}}, checked
		st.State, st.Reason = follower.StateHalted, "a column is\nmissing"
	})
	s := follow(t, serve(t, web.Config{Source: source}).url)
	st := await(t, s, "looked at", func(st follower.Status) bool { return st.AllocatedKnown && st.State == follower.StateHalted })
	if !st.Known || st.Position != 41 || st.LSN != 0x16B3748 || st.Epoch != "7/1/0/9.1" || st.Writers[""] != 40 || st.Writers["a"] != 41 {
		t.Errorf("%+v", st)
	}
	if st.Allocated != 44 || st.LateRows != 3 || len(st.HeldBy) != 1 || *st.HeldBy[0].PID != pid || !st.CheckedAt.Equal(checked) || st.Reason != "a column is missing" {
		t.Errorf("%+v", st)
	}
	source[0].Update(func(st *follower.Status) { st.State, st.Reason = follower.StateFollowing, "" })
	await(t, s, "following", in(follower.StateFollowing, ""))
}

func TestManyStreamsWithStrangeNames(t *testing.T) {
	names := []string{"events", "a,b", "a b", "..", ".", "x/y", "100%", "ä€", "?&=#+", strings.Repeat("n", 200)}
	for i := range 60 {
		names = append(names, strings.Repeat("long ", 30)+string(rune('A'+i)))
	}
	for _, n := range []int{10, len(names)} { // those of the latter do not fit into a URL
		source := webtest.NewSource(append([]string{"nobody's"}, names[:n]...)...)
		for i, s := range source {
			s.Update(func(st *follower.Status) { st.Position, st.AllocatedKnown, st.Allocated = int64(100+i), true, 1000 })
		}
		f := run(t, remote.Config{URLs: []string{serve(t, web.Config{Source: source}).url + "/"}, Streams: names[:n]})
		for i, s := range f.Streams() {
			await(t, s, s.Name(), func(st follower.Status) bool { return st.Position == int64(101+i) && st.Allocated == 1000 })
		}
		if ok, why := f.Ready(); !ok {
			t.Error(why)
		}
		source[2].Update(func(st *follower.Status) { st.State, st.Reason = follower.StateHalted, "no column" })
		await(t, f.Streams()[1], "halted", in(follower.StateHalted, "no column"))
		if ok, why := f.Ready(); ok || why != `stream "a,b" is halted: no column` {
			t.Errorf("ready %t: %s", ok, why)
		}
		if _, ok := f.Stream("nobody's"); ok {
			t.Error("a stream that was not asked for")
		}
	}
}

func tokenFile(t *testing.T, token string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(name, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestToken(t *testing.T) {
	source := webtest.NewSource("events")
	d := serve(t, web.Config{Source: source, TokenFile: tokenFile(t, secret)})
	f := run(t, remote.Config{URLs: []string{d.url}, Streams: []string{"events"}, Token: secret})
	move(source[0], "e", 5, nil)
	await(t, f.Streams()[0], "moved", at(5))
}

// Before anything was heard, what every address refuses ends Run.
func TestRefusalsEndRun(t *testing.T) {
	d := serve(t, web.Config{Source: webtest.NewSource("events"), TokenFile: tokenFile(t, secret)})
	open := serve(t, web.Config{Source: webtest.NewSource("events")})
	for name, c := range map[string]struct {
		cfg    remote.Config
		status int
		detail string
	}{
		"no token":      {remote.Config{URLs: []string{d.url}}, 401, "a bearer token is needed"},
		"wrong token":   {remote.Config{URLs: []string{d.url, d.url}, Token: "another-one"}, 401, "the bearer token is wrong"},
		"no stream":     {remote.Config{URLs: []string{open.url}, Streams: []string{"events", "none"}}, 404, `there is no stream "none"`},
		"nothing there": {remote.Config{URLs: []string{open.url + "/elsewhere"}}, 404, "nothing at this path"},
	} {
		if c.cfg.Streams == nil {
			c.cfg.Streams = []string{"events"}
		}
		_, ended := begin(t, c.cfg)
		var refused *remote.RefusedError
		select {
		case err := <-ended:
			if !errors.As(err, &refused) || refused.Status != c.status || !strings.Contains(refused.Detail, c.detail) || strings.Contains(err.Error(), "another-one") {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(patience):
			t.Errorf("%s: it goes on", name)
		}
	}
}

// One address that refuses is no reason to end where another may answer.
func TestOneRefusalOfTwoGoesOn(t *testing.T) {
	source := webtest.NewSource("events")
	refuses := serve(t, web.Config{Source: source, TokenFile: tokenFile(t, secret)})
	answers := serve(t, web.Config{Source: source})
	s := follow(t, refuses.url, answers.url)
	move(source[0], "e", 5, nil)
	await(t, s, "moved", at(5))
}

// Once it has followed, a refusal halts the streams, and is tried again.
func TestRefusalLater(t *testing.T) {
	source := webtest.NewSource("events")
	d := serve(t, web.Config{Source: source})
	s := follow(t, d.url)
	move(source[0], "e", 5, nil)
	await(t, s, "moved", at(5))
	d.stop()
	d.cfg.TokenFile = tokenFile(t, secret)
	d.start()
	st := await(t, s, "halted", in(follower.StateHalted, "HTTP status 401"))
	if !st.Known || st.Position != 5 {
		t.Errorf("the position is gone: %+v", st)
	}
	d.stop()
	d.cfg.TokenFile = ""
	d.start()
	await(t, s, "following again", in(follower.StateFollowing, ""))
}

func TestRunsOnce(t *testing.T) {
	f, err := remote.New(remote.Config{URLs: []string{"http://127.0.0.1:1"}, Streams: []string{"events"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Run(ctx); err != nil {
		t.Error(err)
	}
	if err := f.Run(ctx); !errors.Is(err, follower.ErrRunning) {
		t.Errorf("again: %v", err)
	}
}

// A client that is given is used, and neither its timeout nor its way with
// redirects is.
func TestOwnClient(t *testing.T) {
	source := webtest.NewSource("events")
	d := serve(t, web.Config{Source: source})
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 50 * time.Millisecond}
	f, ended := begin(t, remote.Config{URLs: []string{d.url}, Streams: []string{"events"}, HTTPClient: client})
	s := f.Streams()[0]
	await(t, s, "following", in(follower.StateFollowing, ""))
	var lost atomic.Int64
	defer s.Watch(func() {
		if s.Status().State == follower.StateReconnecting {
			lost.Add(1)
		}
	})()
	time.Sleep(4 * client.Timeout) // that it would cut is all there is to see
	move(source[0], "e", 5, nil)
	await(t, s, "moved", at(5))
	if lost.Load() > 0 {
		t.Error("the connection was cut")
	}
	if client.Timeout == 0 || client.CheckRedirect != nil || len(ended) > 0 {
		t.Error("the caller's client was changed")
	}
}

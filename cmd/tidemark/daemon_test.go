package main

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

func TestSignalsStopInGoodOrder(t *testing.T) {
	t.Parallel()
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		d := ready(t, server)
		p := startDaemon(t, d.file)
		p.awaitReady()
		if !d.slotActive() {
			t.Error("the slot is not read")
		}
		p.signal(s)
		if code := p.exits(); code != 0 {
			t.Errorf("%s: exit code %d", s, code)
		}
		if d.slotActive() {
			t.Errorf("%s: the slot is still in use after the process has gone", s)
		}
		p.log("stopped")
	}
}

func TestSignalWhileTheServerIsAway(t *testing.T) {
	t.Parallel()
	file := write(t, "database: {url: 'postgres://u:"+secret+"@"+closedPort(t)+"/app'}\nhttp: {listen: '127.0.0.1:0'}\n"+stream)
	p := startDaemon(t, file)
	if why := p.log("not following yet; trying again")["reason"]; !strings.Contains(why.(string), "connection refused") {
		t.Errorf("reason %q", why)
	}
	p.unready("starting", "connection refused")
	p.signal(syscall.SIGTERM)
	if code := p.exits(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// A frozen walsender keeps the orderly stop waiting for seconds.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	d := ready(t, server)
	p := startDaemon(t, d.file)
	p.awaitReady()
	walsender := d.slotReader()
	if err := syscall.Kill(walsender, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(walsender, syscall.SIGCONT) //nolint:errcheck // it may have gone
	p.signal(syscall.SIGTERM)
	p.gone()
	select {
	case <-p.ended:
		t.Fatal("the stop was not held up: this test proves nothing")
	default:
	}
	p.signal(syscall.SIGTERM)
	signalled := time.Now()
	if code := p.exits(); code != -1 || time.Since(signalled) > time.Second {
		t.Errorf("exit code %d after %s", code, time.Since(signalled))
	}
}

func TestStandbyTakesOver(t *testing.T) {
	t.Parallel()
	d := ready(t, server)
	first := startDaemon(t, d.file)
	first.awaitReady()
	second := startDaemon(t, d.file)
	second.unready("standby", "slot", d.name, "pid")
	second.log("standby: the slot is read by another process; taking over when it goes")
	d.insert()

	var took [3]time.Duration
	for i := range took {
		first.kill()
		killed := time.Now()
		second.awaitReady()
		took[i] = time.Since(killed)
		id := d.insert()
		second.reaches(id)
		if n := strings.Count(second.stderr.String(), `"msg":"standby: `); n != 1 {
			t.Errorf("%d lines about being standby", n)
		}
		if i+1 < len(took) {
			first, second = second, startDaemon(t, d.file)
			second.unready("standby", "slot", d.name, "pid")
		}
	}
	// A busy machine may spoil one of them.
	t.Logf("took over %s after a kill", took)
	if slices.Max(took[:]) > 5*time.Second || slices.Min(took[:]) > 2*time.Second {
		t.Errorf("took over after %s", took)
	}
	second.signal(syscall.SIGTERM)
	second.exits()
	if d.slotActive() {
		t.Error("the slot is in use after the process has gone")
	}
}

func TestServerGoesAndComesBack(t *testing.T) {
	t.Parallel()
	c := pgtest.Start(t)
	d := ready(t, c)
	p := startDaemon(t, d.file)
	p.awaitReady()
	id := d.insert()
	p.reaches(id)
	_ = d.sql.Close(t.Context()) // a smart stop would wait for it
	if err := c.Stop(t.Context(), pgcluster.StopFast); err != nil {
		t.Fatal(err)
	}
	p.unready("reconnecting")
	if st := p.stream(); st.Position == nil || *st.Position != id {
		t.Errorf("position while the server is away: %v, want %d", st.Position, id)
	}
	if err := c.StartAgain(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.awaitReady()
	d.sql = pgtest.ConnectURL(t, c.URL("", d.name))
	p.reaches(d.insert())
}

func TestStartsBeforeItsServer(t *testing.T) {
	t.Parallel()
	c := pgtest.Start(t)
	d := ready(t, c)
	_ = d.sql.Close(t.Context())
	if err := c.Stop(t.Context(), pgcluster.StopFast); err != nil {
		t.Fatal(err)
	}
	p := startDaemon(t, d.file)
	p.unready("starting", "connection refused")
	if err := c.StartAgain(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.awaitReady()
	p.log("following")
}

func TestPublicationDroppedAndMadeAgain(t *testing.T) {
	t.Parallel()
	d := ready(t, server)
	p := startDaemon(t, d.file)
	p.awaitReady()
	d.exec("DROP PUBLICATION tidemark")
	d.insert() // its WAL can never be decoded
	p.unready("halted", "publication tidemark")
	run(t, "setup", "-c", d.file).succeeds()
	p.awaitReadyWithin(15 * time.Second)
	p.reaches(d.insert())
}

func TestColumnRenamedAndBack(t *testing.T) {
	t.Parallel()
	d := ready(t, server)
	p := startDaemon(t, d.file)
	p.awaitReady()
	d.exec(`ALTER TABLE events RENAME COLUMN id TO "Id"`)
	d.exec("INSERT INTO events (instance_name) VALUES ('a')")
	p.unready("halted", "public.events", "column id")
	d.exec(`ALTER TABLE events RENAME COLUMN "Id" TO id`)
	p.awaitReadyWithin(15 * time.Second)
	p.reaches(d.insert())
}

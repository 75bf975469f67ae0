package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/remote"
	"github.com/tidemark-pg/tidemark/internal/nettest"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
	"github.com/tidemark-pg/tidemark/tracker"
)

// Several daemons, each with a temporary slot, behind one address: clients hop
// between them, one of which is behind, and one of which is killed and started
// again. No client's position goes back, and none of their readers misses a row.
func TestDaemonsBehindOneAddress(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	clients := make([]*hopper, 4)
	for i := range clients {
		clients[i] = g.hopper()
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var work sync.WaitGroup
	for w := range 3 {
		conn := pgtest.ConnectURL(t, g.d.url(""))
		work.Go(func() { writeThrees(ctx, t, conn, w) })
	}
	for _, c := range clients {
		work.Go(func() { c.read(ctx) })
	}
	behind := 0
	for round := range 2 {
		behind += g.hopToOneBehind(clients)
		g.restart(round % 2)
		g.reach(clients, g.d.insert())
	}
	stop()
	work.Wait()
	newest := g.d.insert()
	g.reach(clients, newest)
	for i, c := range clients {
		c.readOnce(t.Context())
		if missed := c.missed(); missed != 0 || c.back != 0 || c.reads < 3 {
			t.Errorf("client %d: %d rows missed, %d steps back, %d reads", i, missed, c.back, c.reads)
		}
		t.Logf("client %d: %d reads, %d rows", i, c.reads, len(c.seen))
	}
	if behind == 0 {
		t.Error("no daemon was behind when clients came to it: this proves nothing")
	}
}

// group is three daemons behind one address. The third one's link to the
// server can be made deaf, so that it is behind.
type group struct {
	d       *database
	link    *nettest.Relay // from the third daemon to the server
	front   *nettest.Relay // from clients to daemons
	mu      sync.Mutex
	daemons [3]*daemon
	files   [3]string
}

func newGroup(t *testing.T) *group {
	t.Helper()
	g := &group{d: newDatabase(t, server, events)}
	primary := fmt.Sprintf("127.0.0.1:%d", server.Port())
	g.link = nettest.NewRelay(t, nettest.To(primary))
	g.front = nettest.NewRelay(t, g.any)
	direct := g.d.url("")
	for i := range g.daemons {
		url := direct
		if i == len(g.daemons)-1 {
			url = strings.Replace(direct, primary, g.link.Address(), 1)
		}
		g.files[i] = write(t, fmt.Sprintf("database: {url: '%s'}\nslot: {temporary: true}\nhttp: {listen: '127.0.0.1:0'}\n%s", url, stream))
	}
	run(t, "setup", "-c", g.files[0]).succeeds()
	for i := range g.daemons {
		g.begin(i)
	}
	for _, d := range g.daemons {
		d.awaitReady()
	}
	return g
}

// address is where a daemon listens.
func (g *group) address(i int) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return strings.TrimPrefix(g.daemons[i].url, "http://")
}

func (g *group) any() string { return g.address(rand.IntN(len(g.daemons))) }

// restart kills a daemon and starts another in its place, as a service does.
func (g *group) restart(i int) {
	g.daemons[i].kill()
	g.begin(i).awaitReady()
}

func (g *group) begin(i int) *daemon {
	d := startDaemon(g.d.t, g.files[i])
	g.mu.Lock()
	defer g.mu.Unlock()
	g.daemons[i] = d
	return d
}

// hopToOneBehind leads all clients to the third daemon while that one hears
// nothing of the server, and back. It returns how many clients were further
// than it, and went on with what it said.
func (g *group) hopToOneBehind(clients []*hopper) (further int) {
	g.d.t.Helper()
	last := len(g.daemons) - 1
	g.link.Stall()
	id := g.d.insert()
	g.await("a daemon that hears reaches the row", func() bool { return g.state(0).Position >= id })

	before := g.front.Made(g.address(last))
	g.front.Lead(func() string { return g.address(last) })
	g.await("clients come to the one behind", func() bool { return g.front.Made(g.address(last)) >= before+len(clients) })
	for _, c := range clients {
		g.await("a client takes what it says", func() bool {
			return c.stream.Status().State == follower.StateFollowing || g.state(last).State != follower.StateFollowing
		})
		if c.stream.CurrentToken() > g.state(last).Position {
			further++
		}
	}
	g.link.Heal()
	g.front.Lead(g.any)
	return further
}

// told is what a daemon tells of the stream.
type told struct {
	Position int64
	State    follower.State
}

func (g *group) state(i int) (said told) {
	g.d.t.Helper()
	res, err := http.Get("http://" + g.address(i) + "/v1/streams/events")
	if err != nil {
		g.d.t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&said); err != nil {
		g.d.t.Fatalf("ask daemon %d: %v", i, err)
	}
	return said
}

func (g *group) await(what string, ok func() bool) {
	g.d.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) { // nobody tells
		if time.Now().After(end) {
			g.d.t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

func (g *group) reach(clients []*hopper, id int64) {
	g.d.t.Helper()
	ctx, cancel := context.WithTimeout(g.d.t.Context(), patience)
	defer cancel()
	for i, c := range clients {
		if err := c.stream.Wait(ctx, id); err != nil {
			g.d.t.Fatalf("client %d waits for %d: %v: %+v", i, id, err, c.stream.Status())
		}
	}
}

// hopper is a client that follows by the one address, and reads rows up to what it is told.
type hopper struct {
	t      *testing.T
	stream *remote.Stream
	sql    *pgx.Conn
	last   int64
	seen   map[int64]bool
	reads  int

	mu   sync.Mutex // protects what follows
	told int64
	back int
}

func (g *group) hopper() *hopper {
	t := g.d.t
	t.Helper()
	f, err := remote.New(remote.Config{
		URLs: []string{"http://" + g.front.Address()}, Streams: []string{"events"},
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run client: %v", err)
		}
	})
	c := &hopper{t: t, sql: pgtest.ConnectURL(t, g.d.url("")), seen: make(map[int64]bool)}
	c.stream, _ = f.Stream("events")
	t.Cleanup(c.stream.Subscribe(func(m tracker.Move) { c.tell(m.Position) }))
	return c
}

// tell notes a position that the client was told, in whatever way.
func (c *hopper) tell(p int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p < c.told {
		c.back++
	}
	c.told = p
}

func (c *hopper) read(ctx context.Context) {
	for c.stream.Wait(ctx, c.last+1) == nil {
		c.readOnce(context.WithoutCancel(ctx))
	}
}

func (c *hopper) readOnce(ctx context.Context) {
	p := c.stream.CurrentToken()
	if p < c.last {
		c.mu.Lock()
		c.back++
		c.mu.Unlock()
	}
	for _, id := range c.ids(ctx, "SELECT id FROM events WHERE id > $1 AND id <= $2", c.last, p) {
		c.seen[id] = true
	}
	c.last = max(c.last, p)
	c.reads++
}

// missed is how many rows exist that were never read.
func (c *hopper) missed() (n int) {
	for _, id := range c.ids(c.t.Context(), "SELECT id FROM events") {
		if !c.seen[id] {
			n++
		}
	}
	return n
}

func (c *hopper) ids(ctx context.Context, sql string, args ...any) []int64 {
	rows, err := c.sql.Query(ctx, sql, args...)
	if err == nil {
		var ids []int64
		if ids, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err == nil {
			return ids
		}
	}
	c.t.Errorf("%s: %v", sql, err)
	return nil
}

// writeThrees writes transactions of three rows, some of them rolled back.
func writeThrees(ctx context.Context, t *testing.T, conn *pgx.Conn, w int) {
	for i := 0; ctx.Err() == nil; i++ {
		end := []string{"COMMIT", "COMMIT", "ROLLBACK"}[(i+w)%3]
		sql := fmt.Sprintf("BEGIN; INSERT INTO events (instance_name) VALUES ('w%d'); SELECT pg_sleep(0.005); INSERT INTO events (instance_name) VALUES ('w%d'), ('w%d'); %s", w, w, w, end)
		if _, err := conn.Exec(context.WithoutCancel(ctx), sql); err != nil {
			t.Errorf("write: %v", err)
			return
		}
	}
}

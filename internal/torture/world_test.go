package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/nettest"
	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

const (
	pollPause    = 5 * time.Millisecond
	writersCount = 6
	// endWithin is how soon positions must reach the end when writers stop.
	endWithin = 15 * time.Second
)

// role is what a world's standby is for.
type role int

const (
	alone    role = iota // there is none
	read                 // workers read it
	takeOver             // it is promoted when the primary is gone
)

// plan is what the worlds of a run have in common.
type plan struct {
	roles []role
	kinds []kind
	// jumping is the program with a clock that jumps; empty: there is none.
	jumping string
}

// has reports whether a kind of fault may happen.
func (p plan) has(name string) bool {
	return slices.ContainsFunc(p.kinds, func(k kind) bool { return k.name == name })
}

// world is a server and everything that happens to it.
type world struct {
	t       *testing.T
	seed    uint64
	tally   *tally
	plan    plan
	streams []*stream
	role    role
	disk    string // where the WAL is on a disk of its own; else empty
	control bool   // readers are broken on purpose
	forgets bool   // the server notices within seconds that a walsender's reader is gone

	primary   atomic.Pointer[pgcluster.Cluster]
	standby   *pgcluster.Cluster
	proxies   []*nettest.Relay
	followers []*following
	daemons   []*daemon
	distant   *distant // nil: there is no daemon
	writers   []*writer
	allocate  []*allocating
	readers   []reader
	crashes   atomic.Int64 // lazy rows may have been lost so often
	parts     atomic.Int64 // partitions of each partitioned table
	failed    atomic.Bool
	// quiet is held by writers while they have ids that they have not written.
	quiet sync.RWMutex

	mu struct {
		sync.Mutex
		// forgiven are late rows that ids that started over have caused.
		forgiven map[*follower.Stream]uint64
	}
}

// source is one of the independent sources of randomness of a world.
func (w *world) source(n uint64) *rand.Rand { return rand.New(rand.NewPCG(w.seed, n)) }

// newWorld makes servers, schema and followers.
func newWorld(t *testing.T, seed uint64, major int, tally *tally, p plan) *world {
	t.Helper()
	w := &world{t: t, seed: seed, tally: tally, plan: p}
	w.mu.forgiven = make(map[*follower.Stream]uint64)
	rnd := w.source(0)
	w.role = p.roles[rnd.IntN(len(p.roles))]
	w.streams = randomStreams(rnd)
	w.parts.Store(2)
	settings := []pgtest.Option{
		pgtest.InitArgs("--wal-segsize=1"),
		pgtest.Setting("max_locks_per_transaction", "256"),
		pgtest.Setting("wal_writer_delay", []string{"200ms", "200ms", "10s"}[rnd.IntN(3)]),
		pgtest.Setting("autovacuum_naptime", "1s"),
		pgtest.Setting("wal_retrieve_retry_interval", "500ms"),
		// Processes are killed here, machines are not: what was written stays.
		pgtest.Setting("fsync", []string{"on", "off"}[rnd.IntN(2)]),
	}
	if w.role != alone {
		settings = append(settings, pgtest.Setting("wal_keep_size", "512MB")) // standbys have no slot
	}
	if w.forgets = w.source(3).IntN(2) == 0; w.forgets {
		settings = append(settings, pgtest.Setting("wal_sender_timeout", "4s"))
	}
	if p.has(diskFull) && w.role == alone && w.source(2).IntN(2) == 0 {
		if disk := w.smallDisk(); disk != nil {
			settings = append(settings, disk, pgtest.Setting("max_wal_size", "32MB"), pgtest.Setting("min_wal_size", "5MB"))
		}
	}
	if major != 0 {
		settings = append(settings, pgtest.Version(t, major))
	}
	cluster := pgtest.Start(t, settings...)
	w.primary.Store(cluster)
	w.create(cluster)
	if w.role != alone {
		w.standby = pgtest.Standby(t, cluster, "standby")
		pgtest.AwaitReplay(t, cluster, w.standby)
	}
	w.follow(rnd)
	w.describe()
	return w
}

func (w *world) create(cluster *pgcluster.Cluster) {
	w.t.Helper()
	conn := pgtest.Connect(w.t, cluster)
	pgtest.Exec(w.t, conn, commonSchema)
	for _, s := range w.streams {
		pgtest.Exec(w.t, conn, s.ddl...)
	}
	pgtest.Exec(w.t, conn, publication(w.streams))
}

func (w *world) describe() {
	names := make([]string, len(w.streams))
	for i, s := range w.streams {
		names[i] = s.String()
	}
	var kinds []string
	for _, f := range w.followers {
		kinds = append(kinds, f.name)
	}
	w.t.Logf("world of seed %d: pg %d, %s; streams: %s; followers: %s", w.seed, w.primary.Load().Major(),
		[]string{"alone", "standby read", "standby takes over"}[w.role], strings.Join(names, "; "), strings.Join(kinds, ", ")+fmt.Sprintf(", %d daemons", len(w.daemons)))
}

// follow starts the followers: one that keeps its positions, and another.
func (w *world) follow(rnd *rand.Rand) {
	hosts := []string{w.proxy(w.primary.Load()).Address()}
	if w.role == takeOver {
		hosts = append(hosts, w.proxy(w.standby).Address())
	}
	base := follower.Config{Database: "postgres://postgres@" + strings.Join(hosts, ",") + "/postgres?sslmode=disable"}
	if w.role == read {
		base.Readers = []string{w.standby.URL("", "")}
	}
	for _, s := range w.streams {
		var writers []string
		if rnd.IntN(2) == 0 {
			writers = writerNames()
			if s.allocators {
				writers = append(writers, allocatorNames()...)
			}
		}
		base.Streams = append(base.Streams, s.config(writers))
	}
	permanent, other := base, base
	permanent.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark", SkipAhead: []int64{0, 1 << 20}[rnd.IntN(2)]}
	permanent.Published = follower.PublishedConfig{Table: "public.tidemark_positions", Notify: "moves"}
	w.addFollower("permanent", permanent)
	if w.role != alone || rnd.IntN(3) == 0 {
		w.addDaemons(base)
		w.addDistant()
	}
	switch {
	case rnd.IntN(2) == 0 && !w.announced():
		other.Slot.Kind = follower.SlotNone
		w.addFollower("fence alone", other)
	case rnd.IntN(2) == 0:
		w.addFollower("temporary", other)
	}
}

func (w *world) announced() bool {
	for _, s := range w.streams {
		if s.announced {
			return true
		}
	}
	return false
}

func (w *world) proxy(c *pgcluster.Cluster) *nettest.Relay {
	p := relayTo(w.t, c.Port())
	w.proxies = append(w.proxies, p)
	return p
}

func relayTo(t *testing.T, port int) *nettest.Relay {
	t.Helper()
	return nettest.NewRelay(t, nettest.To(fmt.Sprintf("127.0.0.1:%d", port)))
}

func (w *world) addFollower(name string, cfg follower.Config) {
	f := &following{w: w, name: name, cfg: cfg}
	f.start()
	w.followers = append(w.followers, f)
}

// fail reports a broken promise.
func (w *world) fail(format string, args ...any) {
	w.failed.Store(true)
	w.t.Errorf("seed %d: %s", w.seed, fmt.Sprintf(format, args...))
}

// missed reports a reader that has not read what is there. Where the reader is
// broken on purpose, it is only counted.
func (w *world) missed(format string, args ...any) {
	if !w.control {
		w.fail(format, args...)
	}
}

// pause waits for d or the end of ctx.
func (w *world) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// url of a server for writers and readers, who do not go through the proxy.
func url(c *pgcluster.Cluster, application string) string {
	// Prepared statements would know of columns that DDL renames.
	return c.URL("", "") + "&default_query_exec_mode=simple_protocol&connect_timeout=5&application_name=" + application
}

// connect opens a session on the primary, as soon as there is one.
func (w *world) connect(ctx context.Context, application string) (*pgx.Conn, error) {
	for {
		conn, err := pgx.Connect(ctx, url(w.primary.Load(), application))
		if err == nil || ctx.Err() != nil {
			return conn, err
		}
		w.pause(ctx, 10*pollPause)
	}
}

// on runs something in a session of its own on the primary.
func (w *world) on(ctx context.Context, do func(*pgx.Conn) error) error {
	conn, err := w.connect(ctx, "torture")
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return do(conn)
}

func (w *world) exec(ctx context.Context, sql ...string) error {
	return w.on(ctx, func(conn *pgx.Conn) error {
		for _, s := range sql {
			if _, err := conn.PgConn().Exec(ctx, s).ReadAll(); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		return nil
	})
}

// run goes by rounds until the time is over.
func (w *world) run(d time.Duration, readers func() []reader) {
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	w.writers, w.allocate = newWriters(w), newAllocating(w)
	w.readers = readers()
	var reading sync.WaitGroup
	for _, r := range w.readers {
		reading.Go(func() { r.run(ctx) })
	}
	faults := w.source(1)
	end := time.Now().Add(d)
	for round := 0; round == 0 || (time.Now().Before(end) && !w.failed.Load()); round++ {
		w.round(ctx, faults, min(roundTime, max(time.Until(end), roundTime/4)))
	}
	cancel()
	reading.Wait()
	for _, f := range w.followers {
		f.stop()
	}
	w.distant.stop()
}

// roundTime is how long writers write without a rest.
const roundTime = 12 * time.Second

// round has writers write while faults happen, and then looks at everything.
func (w *world) round(ctx context.Context, rnd *rand.Rand, d time.Duration) {
	writing, stop := context.WithCancel(ctx)
	defer stop()
	var writers sync.WaitGroup
	for _, writer := range w.writers {
		writers.Go(func() { writer.run(writing) })
	}
	for _, a := range w.allocate {
		writers.Go(func() { a.run(writing) })
	}
	w.faults(ctx, rnd, time.Now().Add(d), w.plan.kinds)
	stop()
	writers.Wait()
	if !w.failed.Load() {
		w.verify(ctx)
	}
	w.tally.resources(w)
}

// verify: the writers have stopped. Positions must reach the end, and readers
// must have read what is there.
func (w *world) verify(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 4*endWithin)
	defer cancel()
	if err := w.settle(ctx); err != nil {
		w.fail("settle: %v", err)
		return
	}
	ends, err := w.mark(ctx)
	if err != nil {
		w.fail("write the last rows: %v", err)
		return
	}
	for _, f := range w.sources() {
		for _, s := range w.streams {
			w.reachesEnd(ctx, f, s, ends[s])
		}
	}
	for _, f := range w.followers {
		for _, s := range w.streams {
			w.late(f, s)
		}
	}
	for _, d := range w.daemons {
		d.late()
	}
	for _, s := range w.streams {
		if err := w.awaitKept(ctx, s, ends[s]); err != nil {
			w.fail("stream %s: %v", s.name, err)
		}
	}
	for _, r := range w.readers {
		r.verify(ctx, ends[r.of()])
	}
}

// settle ends what writers have left behind.
func (w *world) settle(ctx context.Context) error {
	return w.on(ctx, func(conn *pgx.Conn) error {
		for there := true; there; w.pause(ctx, pollPause) {
			err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name IN ('writer', 'allocator'))").Scan(&there)
			if err != nil {
				return err
			}
		}
		rows, _ := conn.Query(ctx, "SELECT gid FROM pg_prepared_xacts")
		gids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		for _, gid := range gids {
			if err == nil {
				_, err = conn.Exec(ctx, "ROLLBACK PREPARED '"+gid+"'")
			}
		}
		return err
	})
}

// mark writes a last row into every stream, on disk, and returns their ids
// counted away from zero. Where writers announce, all of them announce it.
func (w *world) mark(ctx context.Context) (map[*stream]int64, error) {
	ends := make(map[*stream]int64)
	return ends, w.on(ctx, func(conn *pgx.Conn) error {
		for _, s := range w.streams {
			id, err := w.probe(ctx, conn, s)
			if err != nil {
				return err
			}
			ends[s] = id
			if !s.announced {
				continue
			}
			_, err = conn.Exec(ctx, "UPDATE stream_positions SET stream_id = $2 WHERE stream_name = $1", s.name, s.outward(id))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// reachesEnd waits until the position covers the last row.
func (w *world) reachesEnd(ctx context.Context, f source, s *stream, last int64) {
	ctx, cancel := context.WithTimeout(ctx, endWithin)
	defer cancel()
	if err := w.awaitPosition(ctx, f, s, last); err != nil {
		w.fail("%s, stream %s: the position did not reach %d within %s: %+v", f.label(), s.name, last, endWithin, f.status(s))
	}
}

// awaitPosition returns once the stream is followed and its position covers id.
func (w *world) awaitPosition(ctx context.Context, f source, s *stream, id int64) error {
	for {
		st := f.status(s)
		if st.State == follower.StateFollowing && st.Known && s.outward(st.Position) >= id {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.pause(ctx, pollPause)
	}
}

// late reports rows that came below a position.
func (w *world) late(f *following, s *stream) {
	of := f.current().stream(s)
	n := of.Status().LateRows
	w.mu.Lock()
	forgiven := w.mu.forgiven[of]
	w.mu.forgiven[of] = n // reported once
	w.mu.Unlock()
	if n > forgiven {
		w.tally.late.Add(int64(n - forgiven))
		w.fail("%s, stream %s: %d late rows", f.name, s.name, n-forgiven)
	}
}

// forgive forgets late rows up to now: ids have started over.
func (w *world) forgive() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.followers {
		for _, s := range f.current().Streams() {
			w.mu.forgiven[s] = s.Status().LateRows
		}
	}
	for _, d := range w.daemons {
		d.said.forgive()
	}
}

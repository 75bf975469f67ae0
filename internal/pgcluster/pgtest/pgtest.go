// Package pgtest gives tests private PostgreSQL servers: package pgcluster
// with the life and the failures of a test.
package pgtest

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/internal/pgcluster"
)

// EnvMajors names the major versions that tests run on: "16,17".
const EnvMajors = "TIDEMARK_TEST_PG"

// shortly bounds what should take a moment on a healthy machine.
const shortly = 60 * time.Second

// lookPause is the time between looks at what tells nobody how
// far it has come.
const lookPause = 5 * time.Millisecond

// Option changes how a cluster is made.
type Option func(*pgcluster.Options)

// Setting gives the cluster a setting of postgresql.conf.
func Setting(name, value string) Option {
	return func(o *pgcluster.Options) {
		if o.Settings == nil {
			o.Settings = map[string]string{}
		}
		o.Settings[name] = value
	}
}

// InitArgs gives initdb further arguments.
func InitArgs(args ...string) Option {
	return func(o *pgcluster.Options) { o.InitArgs = append(o.InitArgs, args...) }
}

// Version asks for a major version in place of the one that [Major] chooses.
func Version(t testing.TB, major int) Option {
	t.Helper()
	b, err := pgcluster.Find(major)
	if err != nil {
		t.Fatal(err)
	}
	return func(o *pgcluster.Options) { o.Binaries = b }
}

// Start starts a cluster of the version that [Major] chooses. It is closed when the test ends; if the
// test has failed, the end of the server's log goes into the test's. Where no
// server is installed the test fails and says how to install one: it is never
// skipped.
func Start(t testing.TB, options ...Option) *pgcluster.Cluster {
	t.Helper()
	var o pgcluster.Options
	for _, option := range options {
		option(&o)
	}
	if o.Binaries.Dir == "" {
		Version(t, Major(t))(&o)
	}
	ctx, cancel := context.WithTimeout(t.Context(), shortly)
	defer cancel()
	c, err := pgcluster.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, c)
	return c
}

// Standby starts a physical standby of the cluster, known to it as name.
func Standby(t testing.TB, primary *pgcluster.Cluster, name string, options ...Option) *pgcluster.Cluster {
	t.Helper()
	var o pgcluster.Options
	for _, option := range options {
		option(&o)
	}
	ctx, cancel := context.WithTimeout(t.Context(), shortly)
	defer cancel()
	c, err := primary.Standby(ctx, name, o)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, c)
	return c
}

func closeAtEnd(t testing.TB, c *pgcluster.Cluster) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("PostgreSQL %d on port %d, end of its log:\n%s", c.Major(), c.Port(), c.LogTail(40))
		}
		if err := c.Close(); err != nil {
			t.Errorf("close cluster: %v", err)
		}
	})
}

// Connect opens a superuser's session in the database postgres, closed when
// the test ends.
func Connect(t testing.TB, c *pgcluster.Cluster) *pgx.Conn {
	t.Helper()
	return ConnectURL(t, c.URL("", ""))
}

// ConnectURL opens a session, closed when the test ends.
func ConnectURL(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), shortly)
		defer cancel()
		_ = conn.Close(ctx) // the test may have killed its server
	})
	return conn
}

// Exec runs statements one after the other; the test ends at the first that
// fails. Each may hold several separated by semicolons, without parameters.
func Exec(t testing.TB, conn *pgx.Conn, sql ...string) {
	t.Helper()
	for _, s := range sql {
		if _, err := conn.PgConn().Exec(t.Context(), s).ReadAll(); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// AwaitCommitsWait returns once commits wait for synchronous_standby_names, of
// which no standby answers. That sessions see the setting does not say so: the
// checkpointer has to have read it too
// (https://github.com/postgres/postgres/blob/REL_18_0/src/backend/replication/syncrep.c,
// SyncRepUpdateSyncStandbysDefined). It commits messages to nobody until one waits.
func AwaitCommitsWait(t testing.TB, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), shortly)
	defer cancel()
	probe, watch := ConnectURL(t, url), ConnectURL(t, url)
	for !commitWaits(ctx, t, probe, watch) {
	}
}

func commitWaits(ctx context.Context, t testing.TB, probe, watch *pgx.Conn) (waits bool) {
	t.Helper()
	committed := make(chan error, 1)
	go func() {
		_, err := probe.Exec(ctx, "SELECT pg_logical_emit_message(true, 'probe', '')")
		committed <- err
	}()
	tick := time.NewTicker(lookPause)
	defer tick.Stop()
	for {
		select {
		case err := <-committed:
			if err != nil {
				t.Fatalf("commit, to see whether it waits for a standby: %v", err)
			}
			return waits
		case <-tick.C:
		}
		const cancel = "SELECT count(pg_cancel_backend(pid)) > 0 FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'SyncRep'"
		var now bool
		if err := watch.QueryRow(ctx, cancel, int32(probe.PgConn().PID())).Scan(&now); err != nil {
			t.Fatalf("see whether a commit waits for a standby: %v", err)
		}
		waits = waits || now
	}
}

// AwaitReplay returns once the standby has replayed everything that the
// primary had written when it was called.
func AwaitReplay(t testing.TB, primary, standby *pgcluster.Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), shortly)
	defer cancel()
	var target string
	err := Connect(t, primary).QueryRow(ctx, "SELECT pg_current_wal_flush_lsn()::text").Scan(&target)
	if err != nil {
		t.Fatalf("ask the primary for its WAL: %v", err)
	}
	conn := Connect(t, standby)
	for replayed := false; !replayed; time.Sleep(lookPause) {
		err := conn.QueryRow(ctx, "SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn", target).Scan(&replayed)
		if err != nil {
			t.Fatalf("wait for the standby to replay %s: %v", target, err)
		}
	}
}

// Majors returns the major versions to test on: those of [EnvMajors], else
// the newest that is installed.
func Majors(t testing.TB) []int {
	t.Helper()
	env := os.Getenv(EnvMajors)
	if env == "" {
		b, err := pgcluster.Find(0)
		if err != nil {
			t.Fatal(err)
		}
		return []int{b.Major}
	}
	var majors []int
	for field := range strings.SplitSeq(env, ",") {
		major, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil {
			t.Fatalf("read %s=%q: %v", EnvMajors, env, err)
		}
		majors = append(majors, major)
	}
	return majors
}

// Major returns the first of [Majors]: for tests that need one version only.
func Major(t testing.TB) int {
	t.Helper()
	return Majors(t)[0]
}

// EachMajor runs a test once for each of [Majors], as a subtest named pg15, pg17, ….
func EachMajor(t *testing.T, test func(t *testing.T, version Option)) {
	t.Helper()
	for _, major := range Majors(t) {
		t.Run("pg"+strconv.Itoa(major), func(t *testing.T) { test(t, Version(t, major)) })
	}
}

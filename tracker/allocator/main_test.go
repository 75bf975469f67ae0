package allocator

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) != "" {
		if err := playRole(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// server starts a server with the reference's kind of tables.
func server(t testing.TB, options ...pgtest.Option) *site {
	t.Helper()
	s := &site{t: t, log: new(logs), cluster: pgtest.Start(t, options...)}
	s.conn = pgtest.Connect(t, s.cluster)
	pgtest.Exec(t, s.conn, schema)
	s.pool = s.newPool("")
	return s
}

const schema = `CREATE TABLE foobar (stream_id bigint NOT NULL, instance_name text, data text);
CREATE INDEX ON foobar (stream_id);
CREATE TABLE foobar2 (LIKE foobar INCLUDING ALL);
CREATE SEQUENCE foobar_seq;
CREATE TABLE stream_positions (stream_name text NOT NULL, instance_name text NOT NULL, stream_id bigint NOT NULL);
CREATE UNIQUE INDEX ON stream_positions (stream_name, instance_name);`

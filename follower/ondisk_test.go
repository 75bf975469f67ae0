package follower

import (
	"testing"

	"github.com/tidemark-pg/tidemark/follower/internal/server"
	"github.com/tidemark-pg/tidemark/follower/internal/session"
	"github.com/tidemark-pg/tidemark/follower/internal/wal"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// RULES 17: a row that was committed asynchronously is visible before it is on
// disk. What is loaded counts only once a crash cannot take it back.
func TestWhatIsLoadedIsOnDisk(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t, pgtest.Setting("wal_writer_delay", "10s"), pgtest.Setting("bgwriter_delay", "10s"))
	conn, other := pgtest.Connect(t, cluster), pgtest.Connect(t, cluster)
	pgtest.Exec(t, other, "CREATE TABLE s (id bigserial)")
	pgtest.Exec(t, other, "SET synchronous_commit = off")
	pgtest.Exec(t, other, "INSERT INTO s DEFAULT VALUES")
	l := &listener{
		sessions: &sessions{Follower: &Follower{flush: make(chan struct{}, 1)}},
		footing:  &footing{identity: server.Identity{Geometry: wal.DefaultGeometry()}},
	}
	forced := make(chan error, 1)
	go func() { // as the warden does
		select {
		case <-l.flush:
			forced <- session.ForceFlush(t.Context(), other)
		case <-t.Context().Done():
		}
	}()
	const behind = "SELECT pg_current_wal_flush_lsn() < $1::text::pg_lsn"
	var written string
	if err := conn.QueryRow(t.Context(), "SELECT pg_current_wal_insert_lsn()::text").Scan(&written); err != nil {
		t.Fatal(err)
	}
	var unflushed bool
	if err := conn.QueryRow(t.Context(), behind, written).Scan(&unflushed); err != nil || !unflushed {
		t.Fatalf("the row is on disk already (%v): the test shows nothing", err)
	}
	rows := 0
	err := l.shown(t.Context(), conn, 0, func() error {
		if err := conn.QueryRow(t.Context(), behind, written).Scan(&unflushed); err != nil {
			return err
		}
		return conn.QueryRow(t.Context(), "SELECT count(*) FROM s").Scan(&rows)
	})
	if err != nil || rows != 1 || unflushed {
		t.Errorf("%d rows were loaded, not on disk: %t (%v)", rows, unflushed, err)
	}
	if t.Failed() {
		return
	}
	if err := <-forced; err != nil {
		t.Error(err)
	}
}

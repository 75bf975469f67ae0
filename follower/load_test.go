package follower

import (
	"testing"
	"time"

	"github.com/jackc/pglogrepl"

	"github.com/tidemark-pg/tidemark/follower/internal/server"
	"github.com/tidemark-pg/tidemark/follower/internal/wal"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// next waits for what has been given to the standbys to show, and takes it.
func (r *readers) next() outgoing {
	<-r.news
	return r.take(^pglogrepl.LSN(0))[0]
}

// A snapshot of the primary is given up when a standby that kept up does not
// show it after all, and taken again when it does. RULES 13.
func TestALoadGivesItsSnapshotUp(t *testing.T) {
	t.Parallel()
	conn := pgtest.Connect(t, pgtest.Start(t))
	of := announcedLife(t)
	r := &readers{news: make(chan struct{}, 1), room: make(chan struct{}, 1)}
	f := &Follower{cfg: Config{ReaderTimeout: 20 * time.Millisecond}, readers: r}
	l := &listener{
		sessions: &sessions{Follower: f}, lives: []*life{of},
		footing: &footing{identity: server.Identity{Geometry: wal.DefaultGeometry()}},
	}
	inTransaction := func() bool { return conn.PgConn().TxStatus() != 'I' }
	read, ended := false, make(chan error, 1)
	go func() {
		ended <- l.shown(t.Context(), conn, 0, func() error {
			read = inTransaction()
			return nil
		})
	}()
	r.next().apply() // the standby keeps up
	r.next()         // and stands still
	again := r.next()
	if inTransaction() {
		t.Error("the snapshot is open while a standby shows nothing new")
	}
	again.apply()
	r.next().apply()
	if err := <-ended; err != nil || !read {
		t.Errorf("%v, read in the snapshot: %t", err, read)
	}
}

package allocator

import (
	"context"
	"sync"
	"testing"
)

// Writers that draw and announce while an allocator opens do not make it
// believe that their positions are ahead of the sequence.
func TestOpeningWhileOthersWrite(t *testing.T) {
	t.Parallel()
	s := server(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var busy sync.WaitGroup
	for _, name := range []string{"b", "c", "d"} {
		s.exec("INSERT INTO stream_positions VALUES ('test_stream', $1, 0)", name)
		conn := s.connect()
		mustExec(t, conn, "SET synchronous_commit = off")
		busy.Go(func() {
			for ctx.Err() == nil {
				mustExec(t, conn, "UPDATE stream_positions SET stream_id = nextval('foobar_seq') WHERE instance_name = '"+name+"'")
			}
		})
	}
	cfg := s.config("a").withDefaults()
	db, err := openDatabase(ctx, s.pool, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		if err := db.checkSequence(ctx, cfg.Logger); err != nil {
			t.Error(err)
			break
		}
	}
	stop()
	busy.Wait()
}

package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

// definitions are faults that DDL brings about.
func definitions() []kind {
	return []kind{
		{name: "column added and dropped", quick: true, beside: true, bring: func(ctx context.Context, w *world, rnd *rand.Rand) error {
			_, t := w.anyTable(rnd)
			return w.ddl(ctx, some(rnd, time.Second),
				"ALTER TABLE "+t.name+" ADD COLUMN more text DEFAULT 'x'", "ALTER TABLE "+t.name+" DROP COLUMN more")
		}},
		{name: "column renamed and back", beside: true, bring: func(ctx context.Context, w *world, rnd *rand.Rand) error {
			_, t := w.anyTable(rnd)
			column := []string{"id", "instance_name"}[rnd.IntN(2)]
			return w.ddl(ctx, some(rnd, 2*time.Second),
				"ALTER TABLE "+t.name+" RENAME COLUMN "+column+" TO other", "ALTER TABLE "+t.name+" RENAME COLUMN other TO "+column)
		}},
		{name: "partition added", fits: partitioned, bring: addPartition},
		{name: "publication dropped and made again", beside: true, bring: func(ctx context.Context, w *world, rnd *rand.Rand) error {
			return w.ddl(ctx, some(rnd, 2*time.Second), "DROP PUBLICATION tidemark", publication(w.streams))
		}},
		{name: "table taken out of the publication and back", beside: true, bring: func(ctx context.Context, w *world, rnd *rand.Rand) error {
			_, t := w.anyTable(rnd)
			return w.ddl(ctx, some(rnd, 2*time.Second), "ALTER PUBLICATION tidemark DROP TABLE "+t.name,
				"ALTER PUBLICATION tidemark ADD TABLE "+t.name+" (id, instance_name)")
		}},
		{name: "truncate restart identity", fits: restartable, bring: truncate},
		{name: "setval back", fits: restartable, bring: setBack},
	}
}

// anyTable draws a table.
func (w *world) anyTable(rnd *rand.Rand) (*stream, table) {
	s := w.streams[rnd.IntN(len(w.streams))]
	return s, s.tables[rnd.IntN(len(s.tables))]
}

// ddl runs a statement and, later, what undoes it. A lock that writers hold for
// long makes it try again.
func (w *world) ddl(ctx context.Context, between time.Duration, there, back string) error {
	if err := w.patiently(ctx, there); err != nil {
		return err
	}
	w.pause(ctx, between)
	return w.patiently(ctx, back)
}

func (w *world) patiently(ctx context.Context, sql string) error {
	var err error
	for range 20 {
		err = w.exec(ctx, "SET lock_timeout = '1s'; "+sql)
		if err == nil || !expected(err) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

func partitioned(w *world) bool {
	for _, s := range w.streams {
		for _, t := range s.tables {
			if t.partitioned {
				return true
			}
		}
	}
	return false
}

// addPartition adds a partition to each partitioned table, and writes into it.
func addPartition(ctx context.Context, w *world, _ *rand.Rand) error {
	n := w.parts.Add(1) - 1
	for _, s := range w.streams {
		for _, t := range s.tables {
			if !t.partitioned {
				continue
			}
			err := w.patiently(ctx, fmt.Sprintf("CREATE TABLE %[1]s_%[2]d PARTITION OF %[1]s FOR VALUES IN (%[2]d)", t.name, n))
			if err == nil && !s.announced {
				err = w.exec(ctx, fmt.Sprintf("INSERT INTO %s (instance_name, part) VALUES ('new', %d)", t.name, n))
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// restartable are the streams whose ids can start over. Those who draw ahead
// would write old ids into the new history; where they are ours they can be
// asked to have none meanwhile.
func (w *world) restartable() []*stream {
	var all []*stream
	for _, s := range w.streams {
		if !s.allocators {
			all = append(all, s)
		}
	}
	return all
}

func restartable(w *world) bool { return len(w.restartable()) > 0 }

// anew has ids of a stream start over by sql, in one transaction in which none
// of its tables has rows. Who announces is a new writer then.
func (w *world) anew(ctx context.Context, s *stream, sql string) error {
	if s.announced {
		w.quiet.Lock()
		defer w.quiet.Unlock()
		sql = "DELETE FROM stream_positions WHERE stream_name = '" + s.name + "'; " + sql
	}
	return w.patiently(ctx, "BEGIN; "+sql+"; COMMIT")
}

// truncate empties a stream, and lets its ids start over.
func truncate(ctx context.Context, w *world, rnd *rand.Rand) error {
	all := w.restartable()
	s := all[rnd.IntN(len(all))]
	restart := ""
	if s.named {
		restart = "; ALTER SEQUENCE " + s.sequence + " RESTART"
	}
	return w.startOver(ctx, s, func() error {
		return w.anew(ctx, s, "TRUNCATE "+names(s)+" RESTART IDENTITY"+restart)
	})
}

func names(s *stream) string {
	text := ""
	for i, t := range s.tables {
		if i > 0 {
			text += ", "
		}
		text += t.name
	}
	return text
}

// setBack sets a sequence back, far enough that it does not pass where it was
// before anybody looks.
func setBack(ctx context.Context, w *world, rnd *rand.Rand) error {
	all := w.restartable()
	s := all[rnd.IntN(len(all))]
	var last int64
	err := w.on(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT last_value FROM "+s.sequence).Scan(&last)
	})
	enough := int64(30_000)
	if s.announced {
		enough = 3_000 // they draw in small pieces
	}
	if err != nil || last < enough {
		return errNot
	}
	return w.startOver(ctx, s, func() error {
		sql := "LOCK TABLE " + names(s) + " IN ACCESS EXCLUSIVE MODE; "
		for _, t := range s.tables {
			sql += "DELETE FROM " + t.name + "; "
		}
		return w.anew(ctx, s, fmt.Sprintf("%sSELECT setval('%s', %d)", sql, s.sequence, 1+rnd.IntN(10)))
	})
}

// startOver lets ids start over, and waits until every follower knows. What
// came meanwhile below the old position was late, and not the follower's fault.
func (w *world) startOver(ctx context.Context, s *stream, restart func() error) error {
	before := make(map[source]string)
	for _, f := range w.followers {
		w.late(f, s)
	}
	for _, f := range w.sources() {
		before[f] = f.status(s).Epoch
	}
	if err := restart(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, recoverWithin)
	defer cancel()
	for _, f := range w.sources() {
		for now := before[f]; now == "" || now == before[f]; now = f.status(s).Epoch {
			if ctx.Err() != nil {
				return fmt.Errorf("%s, stream %s: no new epoch within %s of ids that start over: %+v", f.label(), s.name, recoverWithin, f.status(s))
			}
			w.pause(ctx, pollPause)
		}
	}
	w.forgive()
	return nil
}

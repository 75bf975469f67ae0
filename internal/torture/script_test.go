package torture

import (
	"fmt"
	"time"
)

// What a transaction does is drawn before it begins: how it fares changes
// nothing of what the seed decides later.

// transaction is a random transaction that writes into a stream, and now and
// then into another. Of an announced stream, ids have been drawn ahead.
func (r *writer) transaction(s *stream, ids []int64) []step {
	steps := []step{{sql: "BEGIN"}}
	if r.rnd.IntN(12) == 0 {
		steps = r.serializable()
	}
	if r.rnd.IntN(5) == 0 {
		steps = append(steps, step{sql: "SET LOCAL synchronous_commit = off"})
	}
	steps = append(steps, r.inserts(s, ids)...)
	if r.rnd.IntN(50) == 0 {
		steps = append(steps, step{pause: time.Duration(50+r.rnd.IntN(300)) * time.Millisecond})
	}
	return append(steps, r.ending()...)
}

// serializable begins a transaction that conflicts with others.
func (r *writer) serializable() []step {
	level := []string{"SERIALIZABLE", "REPEATABLE READ"}[r.rnd.IntN(2)]
	return []step{
		{sql: "BEGIN ISOLATION LEVEL " + level},
		{sql: "SELECT sum(n) FROM counters"},
		{sql: fmt.Sprintf("UPDATE counters SET n = n + 1 WHERE id = %d", r.rnd.IntN(4))},
	}
}

func (r *writer) inserts(s *stream, ids []int64) []step {
	var steps []step
	if s.announced {
		for left := len(ids); left > 0; {
			n := min(left, 1+r.rnd.IntN(max(1, len(ids))))
			steps = append(steps, r.around(r.insertOf(s, n))...)
			left -= n
		}
		return steps
	}
	for range 1 + r.rnd.IntN(4) {
		n := 1
		switch draw := r.rnd.IntN(1000); {
		case draw < 2:
			n = 10_000
		case draw < 20:
			n = 1 + r.rnd.IntN(400)
		}
		steps = append(steps, r.around(r.insertOf(s, n))...)
		if r.rnd.IntN(8) == 0 && !s.announced {
			if other := r.w.streams[r.rnd.IntN(len(r.w.streams))]; !other.announced {
				s = other
			}
		}
	}
	return steps
}

// insertOf inserts n rows into one of the tables, some way or other.
func (r *writer) insertOf(s *stream, n int) step {
	t := s.tables[r.rnd.IntN(len(s.tables))]
	st := step{into: t.name, of: s, rows: n, takes: n, how: insertion(r.rnd.IntN(2))}
	if r.rnd.IntN(10) == 0 {
		st.how = copied
	}
	if t.partitioned {
		st.part = r.rnd.IntN(2)
	}
	return st
}

// around puts savepoints, pauses and deferred constraints around an insert.
func (r *writer) around(in step) []step {
	switch r.rnd.IntN(24) {
	case 0:
		return []step{{sql: "SAVEPOINT a"}, in, {sql: "ROLLBACK TO SAVEPOINT a"}}
	case 1:
		return []step{{sql: "SAVEPOINT a"}, in, {sql: "RELEASE SAVEPOINT a"}}
	case 2:
		return []step{in, {pause: time.Duration(1+r.rnd.IntN(20)) * time.Millisecond}}
	case 3:
		batch := r.rnd.Uint32()
		in.how, in.sql = deferred, fmt.Sprint(batch)
		if r.rnd.IntN(4) == 0 {
			return []step{in} // the commit fails
		}
		return []step{in, {sql: fmt.Sprintf("INSERT INTO batches VALUES (%d) ON CONFLICT DO NOTHING", batch)}}
	}
	return []step{in}
}

// ending ends a transaction, one way or another.
func (r *writer) ending() []step {
	switch n := r.rnd.IntN(100); {
	case n < 20:
		return []step{{sql: "ROLLBACK"}}
	case n < 30:
		r.gids++
		gid := fmt.Sprintf("'%s-%d'", r.name, r.gids)
		steps := []step{{sql: "PREPARE TRANSACTION " + gid}, {pause: time.Duration(1+r.rnd.IntN(30)) * time.Millisecond}}
		return append(steps, step{sql: []string{"COMMIT", "COMMIT", "ROLLBACK"}[r.rnd.IntN(3)] + " PREPARED " + gid})
	case n < 31:
		return []step{{sql: "SELECT pg_terminate_backend(pg_backend_pid())"}}
	case n < 32:
		return []step{{hang: true}}
	}
	return []step{{sql: "COMMIT"}}
}

package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

// writer is one program that writes, with a habit.
type writer struct {
	name string
	// write makes one transaction. It may pause until stop ends, and then
	// finishes what it has begun.
	write func(w *session, stop context.Context) error
	// rest is the longest pause between two of them.
	rest time.Duration
}

// cast are the writers: each gives ids to its rows in an order that is not the
// order in which they become visible.
func cast() []writer {
	return []writer{
		{"quick", quick, 2 * time.Millisecond},
		{"also quick", quick, 3 * time.Millisecond},
		{"slow to commit", slow, 5 * time.Millisecond},
		{"undecided", undecided, 4 * time.Millisecond},
		{"two-phase", prepare, 10 * time.Millisecond},
		{"stalls", stall, 400 * time.Millisecond},
	}
}

// session is a writer at work.
type session struct {
	ctx    context.Context
	conn   *pgx.Conn
	name   string
	random *rand.Rand
	number int
}

// run writes until stop ends; ctx bounds each statement.
func (w writer) run(ctx, stop context.Context, url string, i int) error {
	conn, err := connect(ctx, url, "writer: "+w.name)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // its server goes with it
	s := &session{ctx: ctx, conn: conn, name: w.name, random: rand.New(rand.NewPCG(rand.Uint64(), uint64(i)))}
	for stop.Err() == nil {
		if err := w.write(s, stop); err != nil {
			return fmt.Errorf("writer %q: %w", w.name, err)
		}
		s.number++
		pause(stop, s.upTo(w.rest))
	}
	return nil
}

func (s *session) upTo(d time.Duration) time.Duration {
	return time.Duration(s.random.Int64N(int64(d)))
}

// do runs statements.
func (s *session) do(statements ...string) error {
	for _, sql := range statements {
		if _, err := s.conn.Exec(s.ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// insert is a statement that inserts n rows into either table.
func (s *session) insert(n int) string {
	table := "messages"
	if s.random.IntN(3) == 0 {
		table = "receipts"
	}
	return fmt.Sprintf("INSERT INTO %s (writer, body) SELECT '%s', 'row ' || i FROM generate_series(1, %d) i", table, s.name, n)
}

// quick commits one or a few rows at once.
func quick(s *session, _ context.Context) error {
	return s.do(s.insert(1 + s.random.IntN(4)))
}

// slow draws ids and commits a moment later, when others have overtaken it.
func slow(s *session, stop context.Context) error {
	if err := s.do("BEGIN", s.insert(2)); err != nil {
		return err
	}
	pause(stop, s.upTo(60*time.Millisecond))
	return s.do(s.insert(1), "COMMIT")
}

// undecided rolls back to a savepoint, or all of it.
func undecided(s *session, stop context.Context) error {
	if err := s.do("BEGIN", s.insert(1), "SAVEPOINT here", s.insert(3)); err != nil {
		return err
	}
	pause(stop, s.upTo(20*time.Millisecond))
	if s.random.IntN(3) == 0 {
		return s.do("ROLLBACK")
	}
	return s.do("ROLLBACK TO here", s.insert(1), "COMMIT")
}

// prepare commits in two phases, or rolls back in the second.
func prepare(s *session, stop context.Context) error {
	gid := fmt.Sprintf("'demo %d'", s.number)
	if err := s.do("BEGIN", s.insert(2), "PREPARE TRANSACTION "+gid); err != nil {
		return err
	}
	pause(stop, s.upTo(80*time.Millisecond))
	if s.random.IntN(4) == 0 {
		return s.do("ROLLBACK PREPARED " + gid)
	}
	return s.do("COMMIT PREPARED " + gid)
}

// stall leaves a transaction open for seconds, and the others some time
// between.
func stall(s *session, stop context.Context) error {
	pause(stop, 300*time.Millisecond+s.upTo(400*time.Millisecond))
	if err := s.do("BEGIN", s.insert(1)); err != nil {
		return err
	}
	pause(stop, 1800*time.Millisecond+s.upTo(time.Second))
	return s.do("COMMIT")
}

package torture

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Writers of announced streams, in plain SQL.

// probe writes one row into the stream and returns its id, counted away from
// zero. In an announced stream a writer joins for it, and leaves again: nothing
// of it is open, so that its row may be deleted.
func (w *world) probe(ctx context.Context, conn *pgx.Conn, s *stream) (id int64, err error) {
	table := s.tables[0].name
	if !s.announced {
		err = conn.QueryRow(ctx, fmt.Sprintf("INSERT INTO %s (instance_name) VALUES ('probe') RETURNING id", table)).Scan(&id)
		return s.outward(id), err
	}
	a := announcer{s: s, name: probeName, conn: conn}
	ids, err := a.draw(ctx, 1)
	if err != nil {
		return 0, err
	}
	_, err = conn.Exec(ctx, fmt.Sprintf("INSERT INTO %s (id, instance_name) VALUES (%d, 'probe')", table, s.outward(ids[0])))
	if err != nil {
		return 0, err
	}
	if err = a.announce(ctx, ids[0]); err == nil {
		_, err = conn.Exec(ctx, "DELETE FROM stream_positions WHERE stream_name = $1 AND instance_name = $2", s.name, probeName)
	}
	return ids[0], err
}

const probeName = "probe"

// announcer is one writer of one announced stream, who has no id open but
// between draw and announce.
type announcer struct {
	s    *stream
	name string
	conn *pgx.Conn
}

// draw draws ids; a writer without a row registers before. RULES 15.
func (a *announcer) draw(ctx context.Context, n int) ([]int64, error) {
	for {
		rows, err := a.conn.Query(ctx, `SELECT nextval($1::text::regclass) FROM stream_positions, generate_series(1, $4::int)
			WHERE stream_name = $2 AND instance_name = $3`, a.s.sequence, a.s.name, a.name, n)
		if err != nil {
			return nil, err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil || len(ids) > 0 {
			return ids, err
		}
		if err := a.announceDrawn(ctx); err != nil {
			return nil, fmt.Errorf("register: %w", err)
		}
	}
}

// announceDrawn says that the writer has nothing open of what has been drawn.
func (a *announcer) announceDrawn(ctx context.Context) error {
	var last int64
	err := a.conn.QueryRow(ctx, "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM "+a.s.sequence).Scan(&last)
	if err != nil {
		return err
	}
	return a.announce(ctx, last)
}

// announce says that every id up to this one is done, once the WAL that drew
// it is on disk. RULES 9 and 17.
func (a *announcer) announce(ctx context.Context, upTo int64) error {
	var flushed bool
	var drawn string
	err := a.conn.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()::text").Scan(&drawn)
	if err == nil {
		err = a.conn.QueryRow(ctx, "SELECT pg_current_wal_flush_lsn() >= $1::pg_lsn", drawn).Scan(&flushed)
	}
	if err == nil && !flushed {
		_, err = a.conn.PgConn().Exec(ctx, `BEGIN; SET LOCAL synchronous_commit = local;
			SELECT pg_logical_emit_message(true, 'torture', ''); COMMIT`).ReadAll()
	}
	if err == nil {
		_, err = a.conn.PgConn().Exec(ctx, fmt.Sprintf(`BEGIN; SET LOCAL synchronous_commit = local;
			INSERT INTO stream_positions VALUES ('%s', '%s', %d)
			ON CONFLICT (stream_name, instance_name) DO UPDATE SET stream_id = excluded.stream_id; COMMIT`,
			a.s.name, a.name, a.s.outward(upTo))).ReadAll()
	}
	return err
}

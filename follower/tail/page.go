package tail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// maxPageBytes is how large the columns of a page may become before it ends.
const maxPageBytes = 8 << 20

// page is what one statement read.
type page struct {
	rows []line
	// full tells that there may be more rows below the position that was asked
	// for, beyond the last one.
	full bool
	// cut tells that it was ended early because it was large.
	cut bool
}

// line is a row and the arm of the query that it came from.
type line struct {
	Row
	arm int
}

// read reads one page: rows beyond after up to upTo, n of them and the rest of
// the last id.
func (s *session) read(ctx context.Context, after, upTo, n int64) (page, error) {
	if err := s.alive(ctx); err != nil {
		return page{}, err
	}
	var b pgx.Batch
	b.Queue(s.query, after, upTo, n)
	b.Queue(unchanged, s.history.Sequence, s.history.Filenode)
	results := s.conn.SendBatch(ctx, &b)
	p, same, err := take(results, n)
	if closing := results.Close(); err == nil {
		err = closing
	}
	s.used = time.Now()
	switch {
	case err == nil && !same:
		return page{}, errStartedOver
	case err != nil && s.conn.IsClosed():
		return page{}, &lostError{err}
	}
	return p, err
}

// errStartedOver says that the page may hold ids of another history.
var errStartedOver = errors.New("the ids of the stream have started over")

func take(results pgx.BatchResults, n int64) (p page, same bool, err error) {
	rows, err := results.Query()
	if err != nil {
		return page{}, false, err
	}
	if p, err = collect(rows, n); err != nil {
		return page{}, false, err
	}
	if err := results.QueryRow().Scan(&same); err != nil {
		return page{}, false, fmt.Errorf("look at the sequence: %w", err)
	}
	return p, same, nil
}

// collect takes rows until the page is large enough, which it is after a whole
// id only. What is left of the result is then passed over.
func collect(rows pgx.Rows, n int64) (page, error) {
	defer rows.Close()
	var p page
	size := 0
	for rows.Next() {
		l, err := scan(rows)
		if err != nil {
			return page{}, err
		}
		if size > maxPageBytes && l.ID != p.rows[len(p.rows)-1].ID {
			p.cut = true
			break
		}
		p.rows = append(p.rows, l)
		size += len(l.Columns)
	}
	rows.Close()
	p.full = p.cut || int64(len(p.rows)) >= n
	return p, rows.Err()
}

func scan(rows pgx.Rows) (line, error) {
	var l line
	var instance *string
	if err := rows.Scan(&l.ID, &instance, &l.arm, (*[]byte)(&l.Columns)); err != nil {
		return line{}, fmt.Errorf("read row: %w", err)
	}
	if instance != nil {
		l.Instance = *instance
	}
	return l, nil
}

// named fills in what the configuration says of each row, and brings those
// that share an id into the order of the tables: the query leaves it open.
func (t *Tail) named(p page) []Row {
	slices.SortStableFunc(p.rows, func(a, b line) int {
		switch {
		case a.ID == b.ID:
			return a.arm - b.arm
		case t.beyond(a.ID, b.ID):
			return 1
		}
		return -1
	})
	rows := make([]Row, len(p.rows))
	for i, l := range p.rows {
		table := t.cfg.Stream.Tables[l.arm]
		l.Table = table.Name
		if table.InstanceColumn == "" {
			l.Instance = table.Writer
		}
		rows[i] = l.Row
	}
	return rows
}

package demo

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// verdict compares what the readers read with what is there.
type verdict struct {
	there               int
	read, missed, twice int // by the worker
	naiveMissed         int
}

// judge asks the tables, when nobody writes any more.
func judge(ctx context.Context, conn *pgx.Conn, worker, naive *seen) (verdict, error) {
	v := verdict{read: worker.len(), twice: worker.repeated()}
	rows, err := conn.Query(ctx, "SELECT id FROM messages UNION ALL SELECT id FROM receipts")
	if err != nil {
		return v, fmt.Errorf("compare with the tables: %w", err)
	}
	var id int64
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error {
		v.there++
		if !worker.has(id) {
			v.missed++
		}
		if !naive.has(id) {
			v.naiveMissed++
		}
		return nil
	})
	if err != nil {
		return v, fmt.Errorf("compare with the tables: %w", err)
	}
	return v, nil
}

// err is what the worker did wrong.
func (v verdict) err() error {
	if v.missed == 0 && v.twice == 0 && v.read == v.there {
		return nil
	}
	return fmt.Errorf("of %d rows the worker read %d, missed %d and read %d twice", v.there, v.read, v.missed, v.twice)
}

package allocator

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-pg/tidemark/tracker"
)

// OpenIDGenerator returns the small generator for tables that have a single
// writer process, which begins behind what they hold: the highest id of any of
// them, or the lowest where step is negative. Of a Table its name and its id
// column count. It reads each table once, and does not keep the pool. It fails
// where a table cannot be read.
func OpenIDGenerator(ctx context.Context, pool *pgxpool.Pool, step int64, tables ...Table) (*tracker.IDGenerator, error) {
	furthest := int64(0)
	for _, t := range tables {
		id, err := t.furthestID(ctx, pool, step < 0)
		if err != nil {
			return nil, fmt.Errorf("open id generator: %w", err)
		}
		if step < 0 {
			furthest = min(furthest, id)
		} else {
			furthest = max(furthest, id)
		}
	}
	return tracker.NewIDGenerator(furthest, step), nil
}

// furthestID returns the highest id in the table, or the lowest; 0 where the
// table is empty.
func (t Table) furthestID(ctx context.Context, q querier, descending bool) (id int64, err error) {
	furthest := "max"
	if descending {
		furthest = "min"
	}
	query := "SELECT coalesce(" + furthest + "(" + column(t.IDColumn) + "), 0)::int8 FROM " + t.Name
	if err := q.QueryRow(ctx, query).Scan(&id); err != nil {
		return 0, fmt.Errorf("look for the newest id of %s: %w", t.Name, err)
	}
	return id, nil
}
